"""Parts of the module HeadCTTriage. Only what draws images or widgets needs Slicer."""
