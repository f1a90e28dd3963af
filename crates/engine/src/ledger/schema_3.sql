CREATE TABLE job (
    id          INTEGER PRIMARY KEY CHECK (id = 1),
    source      TEXT NOT NULL,
    destination TEXT NOT NULL,
    created     INTEGER NOT NULL,
    program     TEXT NOT NULL,
    frozen      TEXT,
    fingerprint BLOB,
    closed      INTEGER
);
CREATE TABLE run (
    id          INTEGER PRIMARY KEY,
    program     TEXT NOT NULL,
    command     TEXT NOT NULL,
    started     INTEGER NOT NULL,
    finished    INTEGER,
    outcome     TEXT,
    kind        TEXT NOT NULL DEFAULT 'pass',
    settings    TEXT NOT NULL DEFAULT '',
    host        TEXT NOT NULL DEFAULT '',
    pid         INTEGER NOT NULL DEFAULT 0,
    progress    TEXT,
    progress_at INTEGER,
    report      TEXT
);
CREATE TABLE object (
    name                   BLOB NOT NULL PRIMARY KEY,
    source_etag            TEXT,
    source_modified        INTEGER,
    source_modified_nanos  INTEGER NOT NULL DEFAULT 0,
    size                   INTEGER NOT NULL,
    sha256                 BLOB,
    destination_etag       TEXT,
    destination_version    TEXT,
    attributes             BLOB,
    verdict                TEXT NOT NULL,
    losses                 TEXT NOT NULL DEFAULT '',
    run                    INTEGER NOT NULL,
    finished               INTEGER NOT NULL,
    attempts               INTEGER NOT NULL DEFAULT 1,
    started                INTEGER,
    destination_attributes BLOB,
    sha256_part_size       INTEGER
) WITHOUT ROWID;
CREATE TABLE intent (
    name             BLOB NOT NULL PRIMARY KEY,
    source_etag      TEXT,
    size             INTEGER NOT NULL,
    sha256           BLOB,
    multipart        INTEGER NOT NULL,
    started          INTEGER NOT NULL,
    sha256_part_size INTEGER
) WITHOUT ROWID;
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
