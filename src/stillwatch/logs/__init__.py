"""Importers: existing logs become exchanges; an edge."""
