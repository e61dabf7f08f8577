"""Cases as shown: one row a study, in the order of work."""
