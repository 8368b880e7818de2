"""Sentinel over HTTP: intake, the FHIR end points, the API and the console."""
