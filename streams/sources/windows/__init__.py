"""The Windows Security log: the shapes it comes in, and what its event ids mean."""
