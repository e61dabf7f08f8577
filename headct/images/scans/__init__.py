"""Where the slices of a scan lie: positions, gaps between them, and passes that are several scans."""
