-- Who did what to whose record, and what was concluded of it. Ordered for the patient's report.
CREATE TABLE IF NOT EXISTS access (
    tenant LowCardinality(String),
    key FixedString(16) CODEC(NONE),
    source LowCardinality(String),
    id String CODEC(ZSTD(1)),
    occurred_at DateTime64(6, 'UTC') CODEC(T64, ZSTD(1)),
    received_at DateTime64(6, 'UTC') CODEC(T64, ZSTD(1)),
    action LowCardinality(String),
    outcome LowCardinality(String),
    actor_id String CODEC(ZSTD(1)),
    actor_type LowCardinality(String),
    actor_role LowCardinality(String),
    actor_unit LowCardinality(String),
    actor_rpps String CODEC(ZSTD(1)),
    patient_id String CODEC(ZSTD(1)),
    resource_type LowCardinality(String),
    resource_id String CODEC(ZSTD(1)),
    resource_sensitivity LowCardinality(String),
    resource_count Int64 CODEC(T64, ZSTD(1)),
    purpose LowCardinality(String),
    reason String CODEC(ZSTD(1)),
    client_address String CODEC(ZSTD(1)),
    device String CODEC(ZSTD(1)),
    application LowCardinality(String),
    site LowCardinality(String),
    session String CODEC(ZSTD(1)),
    destination LowCardinality(String),
    partition Int64 CODEC(T64, ZSTD(1)),
    offset Int64 CODEC(Delta, ZSTD(1)),
    ordinal Int64 CODEC(T64, ZSTD(1)),
    explained_by LowCardinality(String),
    p_value Float32 CODEC(ZSTD(1)),
    detectors Array(LowCardinality(String)) CODEC(ZSTD(1)),
    weighed String CODEC(ZSTD(1)),
    INDEX key_bloom key TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX offset_range offset TYPE minmax GRANULARITY 1,
    PROJECTION by_actor (SELECT _part_offset ORDER BY tenant, actor_id, occurred_at),
    PROJECTION by_day (
        SELECT tenant, toDate(occurred_at), count(), countIf(notEmpty(patient_id)), countIf(notEmpty(patient_id) AND notEmpty(explained_by))
        GROUP BY tenant, toDate(occurred_at)
    )
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(occurred_at)
ORDER BY (tenant, patient_id, occurred_at)
SETTINGS
    index_granularity = 4096,
    min_compress_block_size = 8192,
    min_bytes_for_wide_part = 268435456,
    auto_statistics_types = '',
    fsync_after_insert = 1,
    fsync_part_directory = 1,
    min_rows_to_fsync_after_merge = 1,
    old_parts_lifetime = 480,
    min_free_disk_bytes_to_perform_insert = 268435456;
