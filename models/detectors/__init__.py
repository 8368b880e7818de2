"""One file a pattern of misuse; each exports `DETECTOR`, named as its file."""
