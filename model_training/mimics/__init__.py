"""The mimic bench: what is taken for blood, in bleed-free heads, and how often a bundle falls for it."""
