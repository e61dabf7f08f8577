"""The gate: a candidate bundle against the one in service, before it may go live."""
