-- The truth: append-only usage events in checksummed, chained batches. Rows are updated only to
-- erase identities.

CREATE TABLE IF NOT EXISTS ledger_identity (
    ledger_id       TEXT    NOT NULL PRIMARY KEY,
    schema_version  INTEGER NOT NULL,
    created_at_us   INTEGER NOT NULL,
    rewrites        INTEGER NOT NULL DEFAULT 0    -- number of erasures of identities in rows
) STRICT;

CREATE TABLE IF NOT EXISTS usage_batch (
    batch_id        INTEGER NOT NULL PRIMARY KEY,
    first_seq       INTEGER NOT NULL,
    last_seq        INTEGER NOT NULL CHECK (last_seq >= first_seq),
    recorded_at_us  INTEGER NOT NULL,
    checksum        BLOB    NOT NULL,             -- over the previous checksum and all rows
    row_width       INTEGER NOT NULL DEFAULT 38,  -- columns per row that the checksum covers
    restated        BLOB                          -- checksum of the rows after an erasure
) STRICT;

CREATE UNIQUE INDEX IF NOT EXISTS "usage_batch#first_seq" ON usage_batch (first_seq);

CREATE TABLE IF NOT EXISTS usage_event (
    seq                           INTEGER NOT NULL PRIMARY KEY,
    recorded_at_us                INTEGER NOT NULL,
    facts_digest                  BLOB    NOT NULL,
    event_id                      TEXT    NOT NULL,
    organization_id               TEXT    NOT NULL,
    event_time_us                 INTEGER NOT NULL,
    project_id                    TEXT    NOT NULL,
    api_key_id                    TEXT    NOT NULL,
    end_user                      TEXT    NOT NULL,
    app                           TEXT    NOT NULL,
    provider                      TEXT    NOT NULL,
    mapping                       TEXT    NOT NULL,
    operation                     TEXT    NOT NULL,
    status                        TEXT    NOT NULL,
    usage_source                  TEXT    NOT NULL,
    input_tokens                  INTEGER NOT NULL,
    output_tokens                 INTEGER NOT NULL,
    cache_read_input_tokens       INTEGER NOT NULL,
    cache_write_input_tokens      INTEGER NOT NULL,
    cache_write_1h_input_tokens   INTEGER NOT NULL,
    reasoning_output_tokens       INTEGER NOT NULL,
    duration_us                   INTEGER,
    time_to_first_token_us        INTEGER,
    reported_cost_pusd            INTEGER,
    price_context                 TEXT    NOT NULL,
    source                        TEXT    NOT NULL,
    member_id                     TEXT    NOT NULL,
    user_id                       TEXT    NOT NULL,
    groups                        TEXT    NOT NULL,
    model                         TEXT    NOT NULL,
    adjusted                      INTEGER NOT NULL,
    cost_source                   TEXT    NOT NULL,
    cost_pusd                     INTEGER NOT NULL,
    input_cost_pusd               INTEGER NOT NULL,
    cache_read_cost_pusd          INTEGER NOT NULL,
    cache_write_cost_pusd         INTEGER NOT NULL,
    output_cost_pusd              INTEGER NOT NULL,
    price_ref                     TEXT    NOT NULL,
    is_stream                     INTEGER NOT NULL DEFAULT 0,
    http_status                   INTEGER,
    error_code                    TEXT    NOT NULL DEFAULT '',
    response_id                   TEXT    NOT NULL DEFAULT '',
    response_model                TEXT    NOT NULL DEFAULT '',
    meters                        TEXT    NOT NULL DEFAULT '',
    unread                        TEXT    NOT NULL DEFAULT '',
    session_id                    TEXT    NOT NULL DEFAULT '',
    provider_batch_id             TEXT    NOT NULL DEFAULT '',
    attempt                       INTEGER NOT NULL DEFAULT 1,
    amends                        TEXT    NOT NULL DEFAULT '',
    amendment                     TEXT    NOT NULL DEFAULT '',
    amendment_id                  TEXT    NOT NULL DEFAULT '',
    tags                          TEXT    NOT NULL DEFAULT '',
    computed_cost_pusd            INTEGER,
    meter_cost_pusd               INTEGER NOT NULL DEFAULT 0,
    meter_costs                   TEXT    NOT NULL DEFAULT '',
    unpriced_parts                TEXT    NOT NULL DEFAULT '',
    trace_id                      TEXT    NOT NULL DEFAULT '',
    parent_id                     TEXT    NOT NULL DEFAULT ''
) STRICT;

CREATE UNIQUE INDEX IF NOT EXISTS "usage_event#organization_id#event_id"
    ON usage_event (organization_id, event_id);

CREATE INDEX IF NOT EXISTS "usage_event#organization_id#event_time_us"
    ON usage_event (organization_id, event_time_us);

-- Reports of the same answer are found by its id, amendments by their time.
CREATE INDEX IF NOT EXISTS "usage_event#organization_id#response_id"
    ON usage_event (organization_id, response_id) WHERE response_id <> '';

CREATE INDEX IF NOT EXISTS "usage_event#amendment"
    ON usage_event (organization_id, event_time_us, amendment) WHERE amendment <> '';

-- Admitted requests whose outcome is not known yet; an outcome deletes its intent in the
-- transaction that stores the event.
CREATE TABLE IF NOT EXISTS request_intent (
    organization_id  TEXT  NOT NULL,
    event_id         TEXT  NOT NULL,
    begun            BLOB  NOT NULL,              -- known so far, MessagePack
    PRIMARY KEY (organization_id, event_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS usage_conflict (
    conflict_id      INTEGER NOT NULL PRIMARY KEY,
    recorded_at_us   INTEGER NOT NULL,
    organization_id  TEXT    NOT NULL,
    event_id         TEXT    NOT NULL,
    recorded_digest  BLOB    NOT NULL,
    offered_digest   BLOB    NOT NULL,
    offered_facts    TEXT    NOT NULL              -- JSON, for manual inspection
) STRICT;
