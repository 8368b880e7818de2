"""The learnt part: what an hour of a person's work is like, learnt from the stream as it passes."""
