"""Images and regions as nodes of Slicer's scene."""
