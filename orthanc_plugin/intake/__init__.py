"""What reaches triage from Orthanc: changes, calls, and the workers it starts."""
