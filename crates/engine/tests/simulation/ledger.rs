//! The ledger as its page documents it, read without the engine.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use rusqlite::Connection;

/// What the ledger says of one object.
#[derive(Clone, Debug)]
pub struct Row {
    pub source_etag: Option<String>,
    pub size: u64,
    pub sha256: Option<Vec<u8>>,
    pub destination_etag: Option<String>,
    pub verdict: String,
    pub losses: String,
}

/// What a run leaves behind for the next.
#[derive(Debug, Default)]
pub struct Ledger {
    pub rows: BTreeMap<String, Row>,
    pub intents: BTreeSet<String>,
    pub uploads: BTreeSet<String>,
}

impl Ledger {
    /// The only ledger of that folder; empty where there is none yet.
    pub fn read(state: &Path) -> Self {
        let Ok(entries) = std::fs::read_dir(state) else { return Self::default() };
        let file = entries
            .map(|entry| entry.unwrap().path())
            .find(|path| path.extension().is_some_and(|e| e == "sqlite"));
        let Some(file) = file else { return Self::default() };
        let conn = Connection::open(file).unwrap();
        let names = |sql: &str| -> BTreeSet<String> {
            let Ok(mut statement) = conn.prepare(sql) else { return BTreeSet::new() };
            let names = statement.query_map([], |row| row.get::<_, Vec<u8>>(0)).unwrap();
            names.map(|name| String::from_utf8(name.unwrap()).unwrap()).collect()
        };
        Self {
            rows: rows(&conn),
            intents: names("SELECT name FROM intent"),
            uploads: names("SELECT name FROM upload"),
        }
    }
}

/// None before the first run has made the tables.
fn rows(conn: &Connection) -> BTreeMap<String, Row> {
    let sql = "SELECT name, source_etag, size, sha256, destination_etag, verdict, losses FROM object";
    let Ok(mut statement) = conn.prepare(sql) else { return BTreeMap::new() };
    let rows = statement.query_map([], |row| {
        let fields = Row {
            source_etag: row.get(1)?,
            size: row.get::<_, i64>(2)?.unsigned_abs(),
            sha256: row.get(3)?,
            destination_etag: row.get(4)?,
            verdict: row.get(5)?,
            losses: row.get::<_, Option<String>>(6)?.unwrap_or_default(),
        };
        Ok((row.get::<_, Vec<u8>>(0)?, fields))
    });
    rows.unwrap()
        .map(|row| {
            let (name, row) = row.unwrap();
            (String::from_utf8(name).unwrap(), row)
        })
        .collect()
}
