"""Generated head CTs for demo and tests; never used to train."""
