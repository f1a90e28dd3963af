ALTER TABLE job ADD COLUMN frozen TEXT;
ALTER TABLE job ADD COLUMN fingerprint BLOB;
ALTER TABLE job ADD COLUMN closed INTEGER;
ALTER TABLE run ADD COLUMN kind TEXT NOT NULL DEFAULT 'pass';
ALTER TABLE run ADD COLUMN settings TEXT NOT NULL DEFAULT '';
ALTER TABLE run ADD COLUMN host TEXT NOT NULL DEFAULT '';
ALTER TABLE run ADD COLUMN pid INTEGER NOT NULL DEFAULT 0;
ALTER TABLE run ADD COLUMN progress TEXT;
ALTER TABLE run ADD COLUMN progress_at INTEGER;
ALTER TABLE run ADD COLUMN report TEXT;
ALTER TABLE object ADD COLUMN attempts INTEGER NOT NULL DEFAULT 1;
ALTER TABLE object ADD COLUMN started INTEGER;
ALTER TABLE object ADD COLUMN destination_attributes BLOB;
DROP VIEW objects;
ALTER TABLE upload RENAME TO upload_1;
CREATE TABLE upload (
    name         BLOB NOT NULL PRIMARY KEY,
    upload_id    TEXT NOT NULL,
    source_etag  TEXT,
    size         INTEGER NOT NULL,
    part_size    INTEGER NOT NULL,
    options      BLOB NOT NULL,
    started      INTEGER NOT NULL,
    hashed_parts INTEGER,
    hashed_state BLOB
) WITHOUT ROWID;
-- What format 1 didn't record is zero: no plan equals it, so that such an upload is aborted and not gone on with.
INSERT INTO upload (name, upload_id, size, part_size, options, started)
SELECT name, upload_id, 0, 0, zeroblob(32), 0 FROM upload_1;
DROP TABLE upload_1;
CREATE TABLE part (
    name   BLOB NOT NULL,
    number INTEGER NOT NULL,
    size   INTEGER NOT NULL,
    etag   TEXT,
    sha256 BLOB NOT NULL,
    PRIMARY KEY (name, number)
) WITHOUT ROWID;
CREATE TABLE trouble (
    name        BLOB NOT NULL PRIMARY KEY,
    class       TEXT NOT NULL,
    kind        TEXT NOT NULL,
    message     TEXT NOT NULL,
    losses      TEXT NOT NULL,
    size        INTEGER NOT NULL,
    source_etag TEXT,
    attempts    INTEGER NOT NULL,
    run         INTEGER NOT NULL,
    at          INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE change (
    id     INTEGER PRIMARY KEY,
    at     INTEGER NOT NULL,
    what   TEXT NOT NULL,
    before TEXT,
    after  TEXT
);
