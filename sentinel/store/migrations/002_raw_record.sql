-- The records as they came, for evidence. The same place in the log again is the same record: one of them stays.
CREATE TABLE IF NOT EXISTS raw_record (
    tenant LowCardinality(String),
    partition Int64 CODEC(T64, ZSTD(1)),
    offset Int64 CODEC(Delta, ZSTD(1)),
    source LowCardinality(String),
    received_at DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    raw String CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(received_at)
ORDER BY (partition, offset)
SETTINGS
    index_granularity = 256,
    auto_statistics_types = '',
    fsync_after_insert = 1,
    fsync_part_directory = 1,
    min_rows_to_fsync_after_merge = 1,
    old_parts_lifetime = 480,
    min_free_disk_bytes_to_perform_insert = 268435456;
