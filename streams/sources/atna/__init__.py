"""What a DICOM audit message is made of; its codes mean what they mean in FHIR's AuditEvent, which was made from it."""
