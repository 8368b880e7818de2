"""What is kept: access events with their assessment, raw records and alerts, in ClickHouse, embedded or served."""
