"""Is the machine alive and well."""
