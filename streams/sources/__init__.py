"""Sources: one file a format, each exporting `SOURCE`; what they share with their users is in `contract`."""
