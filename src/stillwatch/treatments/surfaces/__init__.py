"""Surface variants: which wordings are interchangeable, where they stand in a text, and which one is chosen."""
