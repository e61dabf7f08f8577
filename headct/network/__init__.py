"""A bundle, the input its network wants, and the network run."""
