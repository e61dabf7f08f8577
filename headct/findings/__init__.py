"""A network's output to findings: scores, bleeds measured, the midline."""
