"""Suspects: models under examination, asked within a budget; an edge."""
