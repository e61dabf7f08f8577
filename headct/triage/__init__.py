"""Findings to an urgency: the rubric, and the urgency learned from specialists."""
