"""Engines: marks put into the choice of tokens, and tokenisers, for the model servers that Stillwatch stands before."""
