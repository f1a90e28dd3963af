CREATE TABLE job (
    id          INTEGER PRIMARY KEY CHECK (id = 1),
    source      TEXT NOT NULL,
    destination TEXT NOT NULL,
    created     INTEGER NOT NULL,
    program     TEXT NOT NULL
);
CREATE TABLE run (
    id       INTEGER PRIMARY KEY,
    program  TEXT NOT NULL,
    command  TEXT NOT NULL,
    started  INTEGER NOT NULL,
    finished INTEGER,
    outcome  TEXT
);
CREATE TABLE object (
    name                  BLOB NOT NULL PRIMARY KEY,
    source_etag           TEXT,
    source_modified       INTEGER,
    source_modified_nanos INTEGER NOT NULL DEFAULT 0,
    size                  INTEGER NOT NULL,
    sha256                BLOB,
    destination_etag      TEXT,
    destination_version   TEXT,
    attributes            BLOB,
    verdict               TEXT NOT NULL,
    losses                TEXT NOT NULL DEFAULT '',
    run                   INTEGER NOT NULL,
    finished              INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE intent (
    name        BLOB NOT NULL PRIMARY KEY,
    source_etag TEXT,
    size        INTEGER NOT NULL,
    sha256      BLOB,
    multipart   INTEGER NOT NULL,
    started     INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE upload (
    name      BLOB NOT NULL PRIMARY KEY,
    upload_id TEXT NOT NULL
) WITHOUT ROWID;
CREATE VIEW objects AS
SELECT CAST(name AS TEXT)                         AS name,
       size,
       verdict,
       losses,
       lower(hex(sha256))                         AS sha256,
       source_etag,
       datetime(source_modified, 'unixepoch')     AS source_modified,
       destination_etag,
       destination_version,
       run,
       datetime(finished / 1000, 'unixepoch')     AS finished
FROM object;
