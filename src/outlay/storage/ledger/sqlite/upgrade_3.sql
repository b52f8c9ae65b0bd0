-- Schema 2 to 3: batches with erased identities have a second checksum. The chain continues over
-- the first one, so that no other batch has to be changed.

ALTER TABLE usage_batch ADD COLUMN restated BLOB;
ALTER TABLE ledger_identity ADD COLUMN rewrites INTEGER NOT NULL DEFAULT 0;
