"""Exchange: what providers tell one another, and the notaries that let them match without showing."""
