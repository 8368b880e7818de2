"""AWS CloudTrail: its records' elements, and what the names of its events mean."""
