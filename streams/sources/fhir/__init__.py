"""What a FHIR AuditEvent is made of and what its codes mean, release by release."""
