"""Networks one can train, one file an architecture."""
