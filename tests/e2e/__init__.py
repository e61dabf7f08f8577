"""Tests of a whole running stack. A package, so that what they share ends with the last of them."""
