"""The hospital's context: FHIR resources and CSV files in, context records out."""
