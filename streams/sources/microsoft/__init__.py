"""Microsoft's clouds: the names that Entra ID and the unified audit log share, and the elements of their records."""
