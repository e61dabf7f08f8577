"""DICOM files to a volume in Hounsfield units whose slices lie where they were taken."""
