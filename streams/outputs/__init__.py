"""The ways out: one file a kind of receiver, exporting `OUTPUT`."""
