"""What an alert looks like to others: one file a format, exporting `FORMAT`."""
