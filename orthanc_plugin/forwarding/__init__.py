"""Results on their way to DICOM modalities."""
