"""The judging process."""
