"""What the Elastic Common Schema and the semantic conventions of OpenTelemetry, which it became, have in common."""
