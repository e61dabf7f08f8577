"""``headct backup`` and ``headct restore``: all that a hospital would miss, copied while everything runs."""
