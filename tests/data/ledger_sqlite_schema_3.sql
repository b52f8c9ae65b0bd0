-- A ledger of schema 3 with events, written by the Outlay of then, as iterdump shows it.

BEGIN TRANSACTION;
CREATE TABLE ledger_identity (
    ledger_id       TEXT    NOT NULL PRIMARY KEY,
    schema_version  INTEGER NOT NULL,
    created_at_us   INTEGER NOT NULL,
    rewrites        INTEGER NOT NULL DEFAULT 0    -- how often identities in rows were erased
) STRICT;
INSERT INTO "ledger_identity" VALUES('01a1f8d3-ea00-791f-9b96-07e4690afc61',3,1795176000000000,1);
CREATE TABLE request_intent (
    organization_id  TEXT  NOT NULL,
    event_id         TEXT  NOT NULL,
    begun            BLOB  NOT NULL,              -- what is known so far, MessagePack
    PRIMARY KEY (organization_id, event_id)
) STRICT, WITHOUT ROWID;
INSERT INTO "request_intent" VALUES('org_test','open-1',X'90');
CREATE TABLE usage_batch (
    batch_id        INTEGER NOT NULL PRIMARY KEY,
    first_seq       INTEGER NOT NULL,
    last_seq        INTEGER NOT NULL CHECK (last_seq >= first_seq),
    recorded_at_us  INTEGER NOT NULL,
    checksum        BLOB    NOT NULL,             -- over the previous checksum and all rows
    row_width       INTEGER NOT NULL DEFAULT 38,  -- columns per row that the checksum covers
    restated        BLOB                          -- checksum of the rows since identities were erased
) STRICT;
INSERT INTO "usage_batch" VALUES(1,1,3,1795176000000000,X'1576AADD06016DEAF70D0BB58044D742',43,NULL);
INSERT INTO "usage_batch" VALUES(2,4,4,1795176000000000,X'29D6A8263B44684CD0F3A4813320439F',43,X'3AFC84854AD5C0DBC31CAD35B2E141C1');
CREATE TABLE usage_conflict (
    conflict_id      INTEGER NOT NULL PRIMARY KEY,
    recorded_at_us   INTEGER NOT NULL,
    organization_id  TEXT    NOT NULL,
    event_id         TEXT    NOT NULL,
    recorded_digest  BLOB    NOT NULL,
    offered_digest   BLOB    NOT NULL,
    offered_facts    TEXT    NOT NULL              -- JSON, for whoever looks into it
) STRICT;
INSERT INTO "usage_conflict" VALUES(1,1795176000000000,'org_test','old-3',X'E0645120F1F4452B5E4DAD11F2F917AA',X'F91248A9B365986EFE3546078436678D','{"event_time_us":1795175940000000,"project_id":"","api_key_id":"","end_user":"","app":"","provider":"openai","mapping":"openai/gpt-5.5","operation":"chat","status":"ok","usage_source":"provider","input_tokens":99,"output_tokens":0,"cache_read_input_tokens":0,"cache_write_input_tokens":0,"cache_write_1h_input_tokens":0,"reasoning_output_tokens":0,"duration_us":null,"time_to_first_token_us":null,"reported_cost_pusd":null,"price_context":"","source":"native"}');
CREATE TABLE usage_event (
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
    response_model                TEXT    NOT NULL DEFAULT ''
) STRICT;
INSERT INTO "usage_event" VALUES(1,1795176000000000,X'3932AE35E30B9D1F0855B92588B3ADCF','old-0','org_test',1795175940000000,'','','','','openai','openai/gpt-5.5','chat','ok','provider',0,0,0,0,0,0,NULL,NULL,NULL,'','native','','','','gpt-5.5',0,'unpriced',1,0,0,0,0,'',0,NULL,'','','');
INSERT INTO "usage_event" VALUES(2,1795176000000000,X'3932AE35E30B9D1F0855B92588B3ADCF','old-1','org_test',1795175940000000,'','','','','openai','openai/gpt-5.5','chat','ok','provider',0,0,0,0,0,0,NULL,NULL,NULL,'','native','','','','gpt-5.5',0,'unpriced',2,0,0,0,0,'',0,NULL,'','','');
INSERT INTO "usage_event" VALUES(3,1795176000000000,X'3932AE35E30B9D1F0855B92588B3ADCF','old-2','org_test',1795175940000000,'','','','','openai','openai/gpt-5.5','chat','ok','provider',0,0,0,0,0,0,NULL,NULL,NULL,'','native','','','','gpt-5.5',0,'unpriced',3,0,0,0,0,'',0,NULL,'','','');
INSERT INTO "usage_event" VALUES(4,1795176000000000,X'E0645120F1F4452B5E4DAD11F2F917AA','old-3','org_test',1795175940000000,'','','gone_1','','openai','openai/gpt-5.5','chat','ok','provider',0,0,0,0,0,0,NULL,NULL,NULL,'','native','','','','gpt-5.5',0,'unpriced',7,0,0,0,0,'',0,200,'','resp_1','');
CREATE UNIQUE INDEX "usage_batch#first_seq" ON usage_batch (first_seq);
CREATE UNIQUE INDEX "usage_event#organization_id#event_id"
    ON usage_event (organization_id, event_id);
CREATE INDEX "usage_event#organization_id#event_time_us"
    ON usage_event (organization_id, event_time_us);
COMMIT;
