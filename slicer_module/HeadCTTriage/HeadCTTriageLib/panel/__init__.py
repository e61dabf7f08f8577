"""The window, section by section."""
