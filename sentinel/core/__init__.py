"""The pure heart: the same input gives the same output. No I/O, clock, randomness or vendor."""
