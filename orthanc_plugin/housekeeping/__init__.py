"""So that a disk does not fill: what is deleted, and what is held back for the day that it is full."""
