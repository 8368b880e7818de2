-- The queue. The highest version of a story is the story as it stands; `lane` and `sequence` say in which order stories changed.
CREATE TABLE IF NOT EXISTS alert (
    tenant LowCardinality(String),
    id String,
    version UInt64,
    lane LowCardinality(String),
    sequence UInt64,
    priority Float64,
    severity LowCardinality(String),
    detectors Array(LowCardinality(String)),
    actor String,
    patients Array(String),
    event_keys Array(FixedString(16)),
    first_seen DateTime64(6, 'UTC'),
    last_seen DateTime64(6, 'UTC'),
    body String CODEC(ZSTD(3))
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (tenant, id)
SETTINGS
    index_granularity = 1024,
    auto_statistics_types = '',
    fsync_after_insert = 1,
    fsync_part_directory = 1,
    min_rows_to_fsync_after_merge = 1,
    old_parts_lifetime = 480,
    min_free_disk_bytes_to_perform_insert = 268435456;
