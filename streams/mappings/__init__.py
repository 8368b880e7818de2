"""Formats that are described rather than programmed: one YAML file each, compiled to a source."""
