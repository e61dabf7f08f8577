"""The research project's network again: eight pictures a patient, split by image and by patient."""
