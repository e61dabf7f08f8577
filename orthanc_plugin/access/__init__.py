"""Who may ask Orthanc for what: one guard before every request."""
