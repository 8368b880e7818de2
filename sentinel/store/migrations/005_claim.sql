-- Who writes the events of a partition of people. The newest claim holds; an insert of anybody else's is refused.
CREATE TABLE IF NOT EXISTS claim (
    partition Int64,
    epoch UInt64,
    owner String
)
ENGINE = ReplacingMergeTree(epoch)
ORDER BY (partition, owner)
SETTINGS
    fsync_after_insert = 1,
    fsync_part_directory = 1,
    min_rows_to_fsync_after_merge = 1;
