"""Triage of head CTs: findings, urgency, reports. The physician decides; the program supports."""

__version__ = "0.1.0"
