"""DICOM images to sorted slices in Hounsfield units; no Slicer needed."""
