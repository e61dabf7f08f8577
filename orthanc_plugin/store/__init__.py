"""The truth, shared by Orthanc's process and the workers."""
