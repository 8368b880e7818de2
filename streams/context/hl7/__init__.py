"""HL7 v2 messages in, FHIR resources out: what a message changes is put together with what earlier ones said."""
