-- Schema 2 to 3: batches whose rows no longer say who somebody was have a second checksum. The
-- chain goes on over the first, so that no other batch has to be touched.

ALTER TABLE usage_batch ADD COLUMN restated BLOB;
ALTER TABLE ledger_identity ADD COLUMN rewrites INTEGER NOT NULL DEFAULT 0;
