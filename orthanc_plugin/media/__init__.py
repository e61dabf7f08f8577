"""A CD, a stick, a folder or a ZIP into Orthanc, from outside it."""
