-- Schema 3 to 4: meters, sessions, tags, attempts and amendments. Existing rows have none of them,
-- and the checksums of their batches still cover the columns that they had.

ALTER TABLE usage_event ADD COLUMN meters text NOT NULL DEFAULT '';
ALTER TABLE usage_event ADD COLUMN unread text NOT NULL DEFAULT '';
ALTER TABLE usage_event ADD COLUMN session_id text NOT NULL DEFAULT '';
ALTER TABLE usage_event ADD COLUMN provider_batch_id text NOT NULL DEFAULT '';
ALTER TABLE usage_event ADD COLUMN attempt bigint NOT NULL DEFAULT 1;
ALTER TABLE usage_event ADD COLUMN amends text NOT NULL DEFAULT '';
ALTER TABLE usage_event ADD COLUMN amendment text NOT NULL DEFAULT '';
ALTER TABLE usage_event ADD COLUMN amendment_id text NOT NULL DEFAULT '';
ALTER TABLE usage_event ADD COLUMN tags text NOT NULL DEFAULT '';
ALTER TABLE usage_event ADD COLUMN computed_cost_pusd bigint;
ALTER TABLE usage_event ADD COLUMN meter_cost_pusd bigint NOT NULL DEFAULT 0;
ALTER TABLE usage_event ADD COLUMN meter_costs text NOT NULL DEFAULT '';
ALTER TABLE usage_event ADD COLUMN unpriced_parts text NOT NULL DEFAULT '';
ALTER TABLE usage_event ADD COLUMN trace_id text NOT NULL DEFAULT '';
ALTER TABLE usage_event ADD COLUMN parent_id text NOT NULL DEFAULT '';

-- Reports of the same answer are found by its id, amendments by their time.
CREATE INDEX usage_event_answer ON usage_event (organization_id, response_id)
    WHERE response_id <> '';
CREATE INDEX usage_event_amendment ON usage_event (organization_id, event_time_us, amendment)
    WHERE amendment <> '';
