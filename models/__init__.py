"""What we call unusual."""
