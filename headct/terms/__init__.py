"""What may be said of a case."""
