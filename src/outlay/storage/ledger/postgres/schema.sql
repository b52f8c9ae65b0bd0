-- The truth, on PostgreSQL: the same tables as on SQLite, in monthly partitions with row-level
-- security. Partitions are created on demand.

CREATE TABLE ledger_identity (
    ledger_id       text    NOT NULL PRIMARY KEY,
    schema_version  bigint  NOT NULL,
    created_at_us   bigint  NOT NULL,
    rewrites        bigint  NOT NULL DEFAULT 0    -- number of erasures of identities in rows
);

CREATE TABLE usage_batch (
    batch_id        bigint  NOT NULL PRIMARY KEY,
    first_seq       bigint  NOT NULL,
    last_seq        bigint  NOT NULL CHECK (last_seq >= first_seq),
    recorded_at_us  bigint  NOT NULL,
    checksum        bytea   NOT NULL,             -- over the previous checksum and all rows
    row_width       bigint  NOT NULL DEFAULT 38,  -- columns per row that the checksum covers
    restated        bytea                         -- checksum of the rows after an erasure
);

CREATE UNIQUE INDEX usage_batch_first_seq ON usage_batch (first_seq);

CREATE TABLE usage_event (
    seq                           bigint  NOT NULL,
    recorded_at_us                bigint  NOT NULL,
    facts_digest                  bytea   NOT NULL,
    event_id                      text    NOT NULL,
    organization_id               text    NOT NULL,
    event_time_us                 bigint  NOT NULL,
    project_id                    text    NOT NULL,
    api_key_id                    text    NOT NULL,
    end_user                      text    NOT NULL,
    app                           text    NOT NULL,
    provider                      text    NOT NULL,
    mapping                       text    NOT NULL,
    operation                     text    NOT NULL,
    status                        text    NOT NULL,
    usage_source                  text    NOT NULL,
    input_tokens                  bigint  NOT NULL,
    output_tokens                 bigint  NOT NULL,
    cache_read_input_tokens       bigint  NOT NULL,
    cache_write_input_tokens      bigint  NOT NULL,
    cache_write_1h_input_tokens   bigint  NOT NULL,
    reasoning_output_tokens       bigint  NOT NULL,
    duration_us                   bigint,
    time_to_first_token_us        bigint,
    reported_cost_pusd            bigint,
    price_context                 text    NOT NULL,
    source                        text    NOT NULL,
    member_id                     text    NOT NULL,
    user_id                       text    NOT NULL,
    groups                        text    NOT NULL,
    model                         text    NOT NULL,
    adjusted                      bigint  NOT NULL,
    cost_source                   text    NOT NULL,
    cost_pusd                     bigint  NOT NULL,
    input_cost_pusd               bigint  NOT NULL,
    cache_read_cost_pusd          bigint  NOT NULL,
    cache_write_cost_pusd         bigint  NOT NULL,
    output_cost_pusd              bigint  NOT NULL,
    price_ref                     text    NOT NULL,
    is_stream                     bigint  NOT NULL,
    http_status                   bigint,
    error_code                    text    NOT NULL,
    response_id                   text    NOT NULL,
    response_model                text    NOT NULL,
    meters                        text    NOT NULL DEFAULT '',
    unread                        text    NOT NULL DEFAULT '',
    session_id                    text    NOT NULL DEFAULT '',
    provider_batch_id             text    NOT NULL DEFAULT '',
    attempt                       bigint  NOT NULL DEFAULT 1,
    amends                        text    NOT NULL DEFAULT '',
    amendment                     text    NOT NULL DEFAULT '',
    amendment_id                  text    NOT NULL DEFAULT '',
    tags                          text    NOT NULL DEFAULT '',
    computed_cost_pusd            bigint,
    meter_cost_pusd               bigint  NOT NULL DEFAULT 0,
    meter_costs                   text    NOT NULL DEFAULT '',
    unpriced_parts                text    NOT NULL DEFAULT '',
    trace_id                      text    NOT NULL DEFAULT '',
    parent_id                     text    NOT NULL DEFAULT '',
    PRIMARY KEY (seq, event_time_us)
) PARTITION BY RANGE (event_time_us);

CREATE INDEX usage_event_time ON usage_event (organization_id, event_time_us);

-- Reports of the same answer are found by its id, amendments by their time.
CREATE INDEX usage_event_answer ON usage_event (organization_id, response_id)
    WHERE response_id <> '';
CREATE INDEX usage_event_amendment ON usage_event (organization_id, event_time_us, amendment)
    WHERE amendment <> '';

-- Event ids in use: a partitioned table cannot enforce a unique id itself.
CREATE TABLE usage_event_key (
    organization_id  text    NOT NULL,
    event_id         text    NOT NULL,
    facts_digest     bytea   NOT NULL,
    event_time_us    bigint  NOT NULL,            -- the partition that the event is in
    PRIMARY KEY (organization_id, event_id)
);

-- Admitted requests whose outcome is not known yet.
CREATE TABLE request_intent (
    organization_id  text   NOT NULL,
    event_id         text   NOT NULL,
    begun            bytea  NOT NULL,             -- known so far, MessagePack
    node_id          text   NOT NULL,             -- the node that admitted it, and settles it
    PRIMARY KEY (organization_id, event_id)
);

CREATE INDEX request_intent_node ON request_intent (node_id);

-- What limited scopes have spent in current intervals; updated by every commit.
CREATE TABLE spend_counter (
    counter_id       bigint   GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    organization_id  text     NOT NULL,
    scope            text     NOT NULL,
    scope_id         text     NOT NULL,
    start_us         bigint   NOT NULL,
    end_us           bigint   NOT NULL,
    spent_pusd       numeric  NOT NULL,
    UNIQUE (organization_id, scope, scope_id, start_us, end_us)
);

-- The maximum cost of running requests; deleted with their intent.
CREATE TABLE spend_hold (
    organization_id  text    NOT NULL,
    event_id         text    NOT NULL,
    counter_id       bigint  NOT NULL REFERENCES spend_counter ON DELETE CASCADE,
    amount_pusd      bigint  NOT NULL,
    PRIMARY KEY (organization_id, event_id, counter_id),
    FOREIGN KEY (organization_id, event_id) REFERENCES request_intent ON DELETE CASCADE
);

CREATE INDEX spend_hold_counter ON spend_hold (counter_id);

-- Nodes that write, and their last heartbeat.
CREATE TABLE node (
    node_id  text         NOT NULL PRIMARY KEY,
    seen_at  timestamptz  NOT NULL
);

CREATE TABLE usage_conflict (
    conflict_id      bigint  GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    recorded_at_us   bigint  NOT NULL,
    organization_id  text    NOT NULL,
    event_id         text    NOT NULL,
    recorded_digest  bytea   NOT NULL,
    offered_digest   bytea   NOT NULL,
    offered_facts    text    NOT NULL             -- JSON, for manual inspection
);
