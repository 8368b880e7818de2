"""Sigma rules: read through pySigma, run on the live stream, and asked of history in ClickHouse's SQL."""
