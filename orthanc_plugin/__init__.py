"""The PACS side of triage: Orthanc's plugin, its store, its workers, its page."""
