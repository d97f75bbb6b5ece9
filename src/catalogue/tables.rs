//! The tables of the catalogue, and how those of an earlier version are upgraded.

use rusqlite::{Connection, TransactionBehavior};

/// Version of the tables, stored as `PRAGMA user_version`. Version 2 added `run_values` and columns of `runs`.
pub(super) const VERSION: i64 = 2;

/// The queue. An upgrade keeps these tables, because only they know the order and the holds of the items.
const QUEUE: &str = "
CREATE TABLE IF NOT EXISTS batches (
    name     TEXT PRIMARY KEY,
    file     TEXT,              -- the batch file, as it was given
    folder   TEXT NOT NULL,     -- paths of recipes are relative to this
    settings TEXT NOT NULL,     -- JSON
    paused   INTEGER NOT NULL,
    created  TEXT NOT NULL      -- RFC 3339, UTC, as every time here
);
CREATE TABLE IF NOT EXISTS items (
    batch       TEXT NOT NULL REFERENCES batches (name),
    number      INTEGER NOT NULL,   -- from 1, in the order of the batch file
    place       INTEGER NOT NULL,   -- the order among those of one priority
    priority    INTEGER NOT NULL,   -- higher first
    state       TEXT NOT NULL,      -- queued, running, done, failed, held, removed, skipped
    reason      TEXT,
    attempts    INTEGER NOT NULL,   -- begun so far
    retries     INTEGER NOT NULL,   -- of them, those that repeat one that failed
    not_before  TEXT,
    deadline    TEXT,
    estimated_s REAL,
    bytes       INTEGER,
    payload     TEXT NOT NULL,      -- JSON: what to run, and how
    recovered   INTEGER NOT NULL,   -- known from run folders alone
    PRIMARY KEY (batch, number)
);
CREATE TABLE IF NOT EXISTS attempts (
    batch   TEXT NOT NULL,
    item    INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    run     TEXT,
    folder  TEXT,
    state   TEXT NOT NULL,          -- running, done, failed; aborted or interrupted: its run can go on; left: it shall not
    reason  TEXT,
    begun   TEXT NOT NULL,
    ended   TEXT,
    PRIMARY KEY (batch, item, attempt),
    FOREIGN KEY (batch, item) REFERENCES items (batch, number)
);
";

/// The list of the runs.
const RUNS: &str = "
CREATE TABLE runs (
    id           INTEGER PRIMARY KEY,
    run          TEXT NOT NULL,
    folder       TEXT NOT NULL UNIQUE,  -- its name beside this file
    name         TEXT NOT NULL,         -- of the recipe
    recipe       TEXT NOT NULL,         -- path of the recipe; empty until the run is read after an upgrade
    status       TEXT NOT NULL,
    reason       TEXT,
    verdict      TEXT,                  -- pass, marginal, not measured, fail
    started      TEXT NOT NULL,
    finished     TEXT,
    elapsed_s    REAL,
    traces       INTEGER,
    failed_steps INTEGER,
    simulated    INTEGER NOT NULL,
    instrument   TEXT NOT NULL,         -- its address
    batch        TEXT,
    item         INTEGER
);
CREATE INDEX runs_by_start ON runs (started DESC, folder DESC);
CREATE INDEX runs_by_name ON runs (name, started DESC);
CREATE INDEX runs_by_status ON runs (status, started DESC);
CREATE INDEX runs_to_read ON runs (id) WHERE recipe = '';
-- Parameters, metadata, and columns of the traces. A run may have several values of one column.
CREATE TABLE run_values (
    name   TEXT NOT NULL,
    value  NOT NULL,                    -- a number or a text
    run    INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    origin TEXT NOT NULL,               -- parameter, metadata, column
    PRIMARY KEY (name, value, run, origin)
) WITHOUT ROWID;
CREATE INDEX run_values_by_run ON run_values (run);
";

/// The runs of version 1. The next list of runs reads their new columns from the folders.
const FROM_VERSION_1: &str = "
INSERT OR IGNORE INTO runs (run, folder, name, recipe, status, reason, started, finished, traces, simulated,
                            instrument, batch, item)
    SELECT run, folder, name, '', status, reason, started, finished, traces, simulated, '', batch, item FROM older;
DROP TABLE older;
";

/// Creates or upgrades the tables, and returns the version that was found. Tables of a later version stay unchanged.
pub(super) fn prepare(connection: &mut Connection) -> rusqlite::Result<i64> {
    connection.pragma_update(None, "foreign_keys", true)?;
    let version = |connection: &Connection| -> rusqlite::Result<i64> {
        connection.pragma_query_value(None, "user_version", |row| row.get(0))
    };
    let found = version(connection)?;
    // An up-to-date file is not written to, so that readers do not wait for other processes.
    if found >= VERSION {
        return Ok(found);
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Another process may have upgraded the file meanwhile.
    let present = version(&transaction)?;
    if present < VERSION {
        transaction.execute_batch(QUEUE)?;
        let has_runs = present == 1;
        if has_runs {
            transaction
                .execute_batch("ALTER TABLE runs RENAME TO older; DROP INDEX IF EXISTS runs_by_folder;")?;
        }
        transaction.execute_batch(RUNS)?;
        if has_runs {
            transaction.execute_batch(FROM_VERSION_1)?;
        }
        transaction.pragma_update(None, "user_version", VERSION)?;
    }
    transaction.commit()?;
    Ok(found)
}
