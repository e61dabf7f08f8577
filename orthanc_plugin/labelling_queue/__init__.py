"""Which case's label would teach most, and why; the worklist's order is left alone."""
