"""Forensics: from a suspect's text to readings with exact p-values."""
