"""Facts: what one ordered pass over a micro-batch knows of each event, as columns."""
