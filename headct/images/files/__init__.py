"""One file, bounded before it takes memory or time."""
