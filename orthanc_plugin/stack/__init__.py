"""The parts of ``headct up``: Orthanc and nginx as child processes on one data folder."""
