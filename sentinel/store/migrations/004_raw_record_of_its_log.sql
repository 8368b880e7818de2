-- Where each source has a log of its own, as on Kafka, records of two logs have the same partition and offset.
ALTER TABLE raw_record ADD COLUMN IF NOT EXISTS log LowCardinality(String), MODIFY ORDER BY (partition, offset, log);
