"""What Orthanc deletes by itself at its limits, and who is kept from it."""
