"""A bad night: a real stack at work, to which everything happens that can."""
