"""From the layouts data come in to one internal format: a frozen, hashed manifest and one sample a series."""
