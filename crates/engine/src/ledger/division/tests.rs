use std::fs;
use std::path::Path;

use cabotage_core::{ETag, Error, ErrorKind, Sha256};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use rusqlite::Connection;
use rusqlite::types::Value;
use tempfile::TempDir;

use super::shard::NAMED;
use super::*;
use crate::guards::PROBE_NAME;
use crate::ledger::tests::{intent, upload};
use crate::ledger::{freeze, schema, sql};
use crate::test_rows::row;
use crate::{Class, DonePart, FrozenJob, JobChanges, LedgerReader, Row, RunKind, Trouble, Verdict};

fn job(dir: &TempDir, bounds: &[&str]) -> ShardedJob {
    let job = JobIdentity { source: "memory/a/".into(), destination: "memory/b/".into() };
    let plan = ShardPlan::divided_at("memory/a/", bounds);
    ShardedJob { state_dir: dir.path().to_owned(), former: job.clone(), job, plan }
}

/// Writes into that ledger, as a run of it does.
fn write(
    job: &ShardedJob,
    identity: &JobIdentity,
    work: impl FnOnce(&mut Connection) -> rusqlite::Result<()>,
) {
    let path = Ledger::file(&job.state_dir, identity);
    let mut conn = schema::open_for_writing(&path, identity, identity).unwrap();
    work(&mut conn).unwrap();
    conn.close().unwrap();
}

fn ran(conn: &Connection, outcome: Option<&str>) -> rusqlite::Result<i64> {
    let run = sql::start_run(conn, RunKind::Pass, "a -> b", "{}", "host")?;
    outcome.map_or(Ok(()), |outcome| sql::finish_run(conn, run, outcome, None))?;
    Ok(run)
}

fn trouble(name: &str, run: i64) -> Trouble {
    Trouble {
        name: name.to_owned(),
        class: Class::Failed,
        kind: "timeout".into(),
        message: format!("{name}: late"),
        losses: vec![],
        size: 7,
        source_etag: None,
        attempts: 3,
        run,
        at: cabotage_core::Timestamp::UNIX_EPOCH,
    }
}

const PIECES: &[&str] = &["a", "b/", "\0", "é", "\u{e000}", "\u{1f600}", "z", "/", ""];

fn name(random: &mut StdRng) -> String {
    (0..random.random_range(0..4)).map(|_| PIECES[random.random_range(0..PIECES.len())]).collect()
}

/// Runs, and names of all kinds in all tables.
fn fill(conn: &Connection, random: &mut StdRng, names: usize) -> rusqlite::Result<()> {
    let runs: Vec<_> = (0..random.random_range(1..4))
        .map(|_| ran(conn, Some("complete")))
        .collect::<rusqlite::Result<_>>()?;
    for _ in 0..names {
        let (name, run) = (name(random), runs[random.random_range(0..runs.len())]);
        match random.random_range(0..6) {
            0 => sql::put_intent(conn, &intent(&name))?,
            1 => sql::put_trouble(conn, &trouble(&name, run))?,
            2 => {
                sql::put_upload(conn, &upload(&name))?;
                let part = DonePart { number: 1, size: 30, etag: None, sha256: Sha256::of(name.as_bytes()) };
                sql::put_part(conn, &name, &part)?;
            }
            _ => {
                let etag = Some(ETag::new(&run.to_string()));
                sql::put_row(
                    conn,
                    &Row { run, size: random.random_range(0..1 << 40), source_etag: etag, ..row(&name) },
                )?;
            }
        }
    }
    Ok(())
}

/// All that is in those tables, by their first columns.
fn dump(path: &Path, tables: &[&str]) -> Vec<Vec<Value>> {
    let conn = Connection::open(path).unwrap();
    let mut all = Vec::new();
    for table in tables {
        let mut statement = conn.prepare(&format!("SELECT * FROM {table} ORDER BY 1, 2")).unwrap();
        let count = statement.column_count();
        let rows = statement.query_map([], |row| (0..count).map(|n| row.get(n)).collect()).unwrap();
        all.extend(rows.map(Result::<Vec<_>, _>::unwrap));
    }
    all
}

fn fail(error: &Error, kind: ErrorKind, said: &str) {
    assert_eq!(error.kind(), kind, "{error}");
    let text = error.to_string();
    assert!(text.contains(said) && !text.contains('\n'), "{text}");
}

fn bounds(random: &mut StdRng) -> Vec<String> {
    let mut bounds: Vec<_> = (0..random.random_range(0..6)).map(|_| name(random)).collect();
    bounds.sort();
    bounds
}

#[test]
fn dividing_and_merging_gives_the_same_rows() {
    for seed in 0..12 {
        let (dir, mut random) = (tempfile::tempdir().unwrap(), StdRng::seed_from_u64(seed));
        let whole = job(&dir, &[]);
        let names = random.random_range(0..120);
        write(&whole, &whole.job, |conn| fill(conn, &mut random, names));
        let before = dump(&whole.whole(), &NAMED);
        let runs = dump(&whole.whole(), &["run"]);
        // Another number of shards each time.
        for _ in 0..2 {
            let bounds = bounds(&mut random);
            let job = job(&dir, &bounds.iter().map(String::as_str).collect::<Vec<_>>());
            assert_eq!(job.divide().unwrap(), Divided::Now, "seed {seed}");
            let shards = job.shards().unwrap();
            let rows: usize = shards.iter().map(|shard| dump(&job.file(shard), &NAMED).len()).sum();
            assert_eq!(rows, before.len(), "seed {seed}");
            assert!(!job.merge(&[]).unwrap().before, "seed {seed}");
            assert_eq!(dump(&whole.whole(), &NAMED), before, "seed {seed}");
            assert_eq!(dump(&whole.whole(), &["run"]), runs, "seed {seed}");
        }
    }
}

/// Who may open its ledger: the whole, or a shard.
fn owners(job: &ShardedJob) -> (bool, usize) {
    let may = |identity: &JobIdentity| Ledger::open(&job.state_dir, identity).is_ok();
    let shards = job.shards().unwrap();
    (may(&job.job), shards.iter().filter(|shard| may(&job.identity(shard))).count())
}

/// What the process does at the step at which it ends.
fn dies_at(last: usize) -> impl FnMut(&str) -> Result<()> {
    let mut steps = 0;
    move |_| {
        steps += 1;
        if steps == last { Err(Error::new(ErrorKind::Internal, "died")) } else { Ok(()) }
    }
}

#[test]
fn a_division_that_dies_ends_well_when_it_is_run_again() {
    for last in 1..20 {
        let dir = tempfile::tempdir().unwrap();
        let job = job(&dir, &["b", "z"]);
        write(&job, &job.job, |conn| fill(conn, &mut StdRng::seed_from_u64(7), 60));
        let before = dump(&job.whole(), &NAMED);
        let died = divide::divide(&job, &mut dies_at(last));
        assert!([(true, 0), (false, 3)].contains(&owners(&job)), "step {last}");
        assert_eq!(dump(&job.whole(), &NAMED), before, "step {last}");
        let again = job.divide().unwrap();
        assert_eq!(owners(&job), (false, 3), "step {last}");
        job.merge(&[]).unwrap();
        assert_eq!((owners(&job), dump(&job.whole(), &NAMED)), ((true, 0), before), "step {last}");
        if died.is_ok() {
            assert_eq!(again, Divided::Before);
            assert_eq!(last, 8, "three are made and put in place, and the mark is set");
            return;
        }
    }
    panic!("it has no end");
}

/// A job of three shards that have run: by the first name of each.
fn shards_that_ran(dir: &TempDir) -> ShardedJob {
    let job = job(dir, &["b", "m"]);
    for (shard, name) in job.shards().unwrap().iter().zip(["a", "c", "x"]) {
        write(&job, &job.identity(shard), |conn| {
            sql::put_row(conn, &Row { run: ran(conn, Some("complete"))?, ..row(name) })?;
            let run = ran(conn, Some("incomplete"))?;
            sql::put_row(conn, &Row { run, verdict: Verdict::ReadBack, ..row(&format!("{name}2")) })?;
            sql::put_trouble(conn, &trouble(&format!("{name}3"), run))
        });
    }
    job
}

#[test]
fn a_merger_that_dies_ends_well_when_it_is_run_again() {
    for last in 1..20 {
        let dir = tempfile::tempdir().unwrap();
        let job = shards_that_ran(&dir);
        let died = merge::merge(&job, &[], &mut dies_at(last));
        assert!([(true, 0), (false, 3)].contains(&owners(&job)), "step {last}");
        // What is left of a copy that was cut off is no ledger.
        fs::write(job.whole().with_extension("sqlite-new"), "half").unwrap();
        job.merge(&[]).unwrap();
        assert_eq!(owners(&job), (true, 0), "step {last}");
        assert_eq!(dump(&job.whole(), &["object"]).len(), 6, "step {last}");
        let marked = job.shards().unwrap().iter().all(|shard| {
            let job = LedgerReader::open(&job.file(shard)).unwrap().job().unwrap();
            matches!(Tenure::split(&job).1, Tenure::Merged(_))
        });
        assert!(marked, "step {last}");
        if died.is_ok() {
            assert_eq!(last, 7, "brought, built, in place, and three marks");
            return;
        }
    }
    panic!("it has no end");
}

/// Whether the marks were set or not: without the whole's ledger nobody owns what was merged.
#[test]
fn what_was_merged_owns_nothing_without_the_whole() {
    let dir = tempfile::tempdir().unwrap();
    let job = shards_that_ran(&dir);
    job.merge(&[]).unwrap();
    fs::remove_file(job.whole()).unwrap();
    let shard = &job.shards().unwrap()[0];
    let error = Ledger::open(&job.state_dir, &job.identity(shard)).unwrap_err();
    fail(&error, ErrorKind::InvalidConfig, "was put into the whole job's ledger, which is not there");
}

#[test]
fn history_is_kept_and_numbers_follow_it() {
    let dir = tempfile::tempdir().unwrap();
    let job = shards_that_ran(&dir);
    job.merge(&[]).unwrap();
    let whole = LedgerReader::open(&job.whole()).unwrap();
    let kinds: Vec<_> = whole.runs().unwrap().into_iter().map(|run| (run.id, run.kind)).collect();
    let merger = (7, RunKind::Merge);
    assert_eq!((kinds.len(), *kinds.last().unwrap()), (7, merger));
    let runs: Vec<_> = whole.rows_after(None, 10).unwrap().into_iter().map(|row| row.run).collect();
    let mut each = runs.clone();
    each.sort_unstable();
    assert_eq!(each, [1, 2, 3, 4, 5, 6], "each row has the run that did it: {runs:?}");
    assert!(whole.troubles_after(None, 10).unwrap().iter().all(|trouble| trouble.run == 7));

    // Divided, run, and merged again.
    let two = self::job(&dir, &["c"]);
    two.divide().unwrap();
    let second = &two.shards().unwrap()[1];
    write(&two, &two.identity(second), |conn| {
        assert!(sql::runs(conn)?.is_empty());
        assert_eq!(sql::row(conn, "x")?.unwrap().run, -runs[4], "of the whole's history");
        sql::put_row(conn, &Row { run: ran(conn, Some("complete"))?, ..row("x") })
    });
    two.merge(&[]).unwrap();
    let whole = LedgerReader::open(&two.whole()).unwrap();
    assert_eq!(whole.row("x").unwrap().unwrap().run, 8);
    assert_eq!(whole.row("a").unwrap().unwrap().run, runs[0]);
    let logged: Vec<_> = whole.changes().unwrap().into_iter().map(|change| change.what).collect();
    assert_eq!(logged, ["merged", "divided", "merged"]);
}

fn rules_differ(job: &ShardedJob) {
    for (shard, globs) in job.shards().unwrap().iter().zip([vec![], vec!["*.tmp".to_owned()]]) {
        write(job, &job.identity(shard), |conn| {
            let rules = FrozenJob { exclude: globs, ..FrozenJob::default() };
            freeze::hold(conn, &rules, JobChanges::default()).unwrap();
            Ok(())
        });
    }
}

fn another_plan(job: &ShardedJob) {
    let other = ShardedJob { plan: ShardPlan::divided_at("memory/a/", &["q"]), ..job.clone() };
    let shard = &other.shards().unwrap()[0];
    write(&other, &other.identity(shard), |conn| ran(conn, Some("complete")).map(drop));
}

#[test]
fn what_does_not_fit_is_refused() {
    type Spoil = fn(&ShardedJob, &Shard);
    let cases: [(Spoil, ErrorKind, &str); 7] = [
        (
            |job, shard| fs::remove_file(job.file(shard)).unwrap(),
            ErrorKind::InvalidConfig,
            "shard 2/3 of plan",
        ),
        (
            |job, shard| write(job, &job.identity(shard), |conn| ran(conn, None).map(drop)),
            ErrorKind::InvalidConfig,
            "(number 3) did not end: it was killed",
        ),
        (
            |job, shard| write(job, &job.identity(shard), |conn| sql::put_row(conn, &row("zz"))),
            ErrorKind::LedgerCorrupt,
            "has the name zz, which is another shard's",
        ),
        (
            |job, shard| {
                let first = &job.shards().unwrap()[0];
                fs::copy(job.file(first), job.file(shard)).unwrap();
            },
            ErrorKind::LedgerConflict,
            "another job",
        ),
        (|job, _| rules_differ(job), ErrorKind::LedgerConflict, "--exclude was none, is now *.tmp"),
        (|job, _| another_plan(job), ErrorKind::InvalidConfig, "divided by another plan"),
        (
            |job, _| write(job, &job.job, |conn| sql::put_row(conn, &row("a"))),
            ErrorKind::InvalidConfig,
            "the whole job has a ledger already",
        ),
    ];
    for (spoil, kind, said) in cases {
        let dir = tempfile::tempdir().unwrap();
        let job = shards_that_ran(&dir);
        spoil(&job, &job.shards().unwrap()[1]);
        let before = owners(&job);
        fail(&job.merge(&[]).unwrap_err(), kind, said);
        assert!(!job.whole().with_extension("sqlite-new").exists(), "{said}");
        assert_eq!(owners(&job), before, "{said}");
    }
}

#[test]
fn a_run_keeps_mergers_and_divisions_off() {
    let dir = tempfile::tempdir().unwrap();
    let job = shards_that_ran(&dir);
    let shard = &job.shards().unwrap()[2];
    let run = Ledger::open(&job.state_dir, &job.identity(shard)).unwrap();
    fail(&job.merge(&[]).unwrap_err(), ErrorKind::LedgerHeld, "shard: 3/3");
    drop(run);
    job.merge(&[]).unwrap();
    let run = Ledger::open(&job.state_dir, &job.job).unwrap();
    fail(&job.divide().unwrap_err(), ErrorKind::LedgerHeld, "another run holds this ledger");
    drop(run);
    job.divide().unwrap();
    let error = Ledger::open(&job.state_dir, &job.job).unwrap_err();
    fail(&error, ErrorKind::InvalidConfig, "cabotage ledger merge");
}

#[test]
fn a_job_that_is_closed_or_divided_otherwise_is_not_divided() {
    let dir = tempfile::tempdir().unwrap();
    let job = shards_that_ran(&dir);
    assert_eq!(job.divide().unwrap(), Divided::NoLedger);
    job.merge(&[]).unwrap();
    job.divide().unwrap();
    let other = self::job(&dir, &["q"]);
    for error in [other.divide().unwrap_err(), other.merge(&[]).unwrap_err()] {
        fail(&error, ErrorKind::InvalidConfig, "divided by another plan");
    }
    job.merge(&[]).unwrap();
    write(&job, &job.job, |conn| sql::close_job(conn));
    fail(&other.divide().unwrap_err(), ErrorKind::LedgerConflict, "a cut-over has closed this job");
}

/// Files of a folder, with their contents.
fn contents(dir: &TempDir) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.into_iter().map(|path| (path.clone(), fs::read(path).unwrap())).collect()
}

#[test]
fn ledgers_of_other_machines_are_brought_in() {
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let away = shards_that_ran(&there);
    let job = ShardedJob { state_dir: here.path().to_owned(), ..away.clone() };
    let before = contents(&there);
    let from = [there.path().to_owned()];
    fail(&job.merge(&[]).unwrap_err(), ErrorKind::InvalidConfig, "shard 1/3 of plan");
    // Cut off after they came, it takes those that are here.
    merge::merge(&job, &from, &mut dies_at(1)).unwrap_err();
    let running = Ledger::open(there.path(), &away.identity(&away.shards().unwrap()[1])).unwrap();
    fail(&job.merge(&from).unwrap_err(), ErrorKind::LedgerHeld, "the run of shard 2/3");
    drop(running);
    assert!(!job.merge(&from).unwrap().before);
    assert!(job.merge(&from).unwrap().before);
    assert_eq!(dump(&job.whole(), &["object"]).len(), 6);
    let ledgers = |files: Vec<(PathBuf, Vec<u8>)>| -> Vec<_> {
        files.into_iter().filter(|(path, _)| path.extension().is_some_and(|end| end == "sqlite")).collect()
    };
    assert_eq!(ledgers(contents(&there)), ledgers(before), "they are only read");
    // What goes on there is not lost silently.
    let shard = &away.shards().unwrap()[0];
    write(&away, &away.identity(shard), |conn| ran(conn, Some("complete")).map(drop));
    fail(&job.merge(&from).unwrap_err(), ErrorKind::InvalidConfig, "was merged already");
}

#[test]
fn a_shard_with_two_ledgers_is_refused() {
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (job, away) = (shards_that_ran(&here), shards_that_ran(&there));
    let shard = &away.shards().unwrap()[1];
    write(&away, &away.identity(shard), |conn| ran(conn, Some("complete")).map(drop));
    let error = job.merge(&[there.path().to_owned()]).unwrap_err();
    fail(&error, ErrorKind::InvalidConfig, "has two ledgers that differ");
    let missing = [there.path().join("none")];
    fail(&job.merge(&missing).unwrap_err(), ErrorKind::InvalidConfig, "--from");
}

/// Every shard asks the destination under a name of its own, which no plan knows.
#[test]
fn what_is_left_of_a_probe_keeps_nothing_from_being_merged() {
    let dir = tempfile::tempdir().unwrap();
    let job = shards_that_ran(&dir);
    let probe = format!("{PROBE_NAME}0");
    write(&job, &job.identity(&job.shards().unwrap()[2]), |conn| sql::put_intent(conn, &intent(&probe)));
    job.merge(&[]).unwrap();
}
