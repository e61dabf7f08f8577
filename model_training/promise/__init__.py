"""What is promised of a model, from the hospital's own cases."""
