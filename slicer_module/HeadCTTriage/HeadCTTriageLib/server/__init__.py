"""The REST interface of triage, seen from outside."""
