"""Marks: keyed choices among tokens that do not show, and that can be shown later with an exact p-value."""
