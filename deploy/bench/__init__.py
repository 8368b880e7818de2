"""`make bench`: events per CPU-second and memory, beside the yardsticks of the same run."""
