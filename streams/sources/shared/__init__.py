"""What sources of logs have in common: documents in records, times, addresses, rows. Knows no format."""
