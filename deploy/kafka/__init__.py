"""A real Apache Kafka on this machine, for measurements and tests."""
