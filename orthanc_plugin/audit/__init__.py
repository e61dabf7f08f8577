"""One log of who did what, of which nothing can be taken away, changed or moved without its showing."""
