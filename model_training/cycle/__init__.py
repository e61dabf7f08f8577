"""Reviewed cases to the next bundle, if the gate lets it through."""
