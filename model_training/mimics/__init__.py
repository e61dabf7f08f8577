"""The mimic bench: what is taken for blood, put into bleed-free heads, and how often a bundle falls for it."""
