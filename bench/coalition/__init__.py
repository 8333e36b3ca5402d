"""Measures of private matching and trust among providers."""
