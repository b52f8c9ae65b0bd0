-- Schema 1 to 2: details of single requests. Existing rows and checksums stay as they are.

ALTER TABLE usage_batch ADD COLUMN row_width INTEGER NOT NULL DEFAULT 38;
ALTER TABLE usage_event ADD COLUMN is_stream INTEGER NOT NULL DEFAULT 0;
ALTER TABLE usage_event ADD COLUMN http_status INTEGER;
ALTER TABLE usage_event ADD COLUMN error_code TEXT NOT NULL DEFAULT '';
ALTER TABLE usage_event ADD COLUMN response_id TEXT NOT NULL DEFAULT '';
ALTER TABLE usage_event ADD COLUMN response_model TEXT NOT NULL DEFAULT '';
