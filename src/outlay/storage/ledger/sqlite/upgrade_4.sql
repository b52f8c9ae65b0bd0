-- Schema 3 to 4: meters, sessions, tags, attempts and amendments. Existing rows have none of them,
-- and the checksums of their batches still cover the columns that they had.

ALTER TABLE usage_event ADD COLUMN meters TEXT NOT NULL DEFAULT '';
ALTER TABLE usage_event ADD COLUMN unread TEXT NOT NULL DEFAULT '';
ALTER TABLE usage_event ADD COLUMN session_id TEXT NOT NULL DEFAULT '';
ALTER TABLE usage_event ADD COLUMN provider_batch_id TEXT NOT NULL DEFAULT '';
ALTER TABLE usage_event ADD COLUMN attempt INTEGER NOT NULL DEFAULT 1;
ALTER TABLE usage_event ADD COLUMN amends TEXT NOT NULL DEFAULT '';
ALTER TABLE usage_event ADD COLUMN amendment TEXT NOT NULL DEFAULT '';
ALTER TABLE usage_event ADD COLUMN amendment_id TEXT NOT NULL DEFAULT '';
ALTER TABLE usage_event ADD COLUMN tags TEXT NOT NULL DEFAULT '';
ALTER TABLE usage_event ADD COLUMN computed_cost_pusd INTEGER;
ALTER TABLE usage_event ADD COLUMN meter_cost_pusd INTEGER NOT NULL DEFAULT 0;
ALTER TABLE usage_event ADD COLUMN meter_costs TEXT NOT NULL DEFAULT '';
ALTER TABLE usage_event ADD COLUMN unpriced_parts TEXT NOT NULL DEFAULT '';
ALTER TABLE usage_event ADD COLUMN trace_id TEXT NOT NULL DEFAULT '';
ALTER TABLE usage_event ADD COLUMN parent_id TEXT NOT NULL DEFAULT '';
