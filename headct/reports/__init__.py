"""DICOM results, a reader for every writer."""
