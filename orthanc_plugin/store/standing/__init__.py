"""Where each study stands in the worklist: derived of what is said of it, and kept beside it."""
