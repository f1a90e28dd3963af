//! Random histories against a model, across reopenings.

use std::collections::BTreeMap;

use cabotage_core::UploadId;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use tempfile::TempDir;

use super::tests::{intent, job, row, upload};
use super::*;

const NAMES: [&str; 6] = ["", "a", "a\0", "a/b", "\u{ff5e}", "\u{1F600}"];

#[derive(Default)]
struct Model {
    rows: BTreeMap<String, Row>,
    intents: BTreeMap<String, Intent>,
    uploads: BTreeMap<String, OpenUpload>,
    runs: i64,
}

impl Model {
    async fn check(&self, ledger: &Ledger, what: &str) {
        let rows: Vec<_> = self.rows.values().cloned().collect();
        assert_eq!(ledger.rows_after(None, 100).await.unwrap(), rows, "{what}");
        let intents: Vec<_> = self.intents.values().cloned().collect();
        assert_eq!(ledger.intents().await.unwrap(), intents, "{what}");
        let uploads: Vec<_> = self.uploads.values().cloned().collect();
        assert_eq!(ledger.uploads().await.unwrap(), uploads, "{what}");
    }

    /// One random change, made in both.
    async fn step(&mut self, ledger: &Ledger, random: &mut StdRng) {
        let name = NAMES[random.random_range(0..NAMES.len())];
        let key = name.to_owned();
        match random.random_range(0..7) {
            0 | 1 => {
                let intent = Intent { size: random.random_range(0..1 << 40), ..intent(name) };
                ledger.intend(intent.clone()).await.unwrap();
                self.intents.insert(key, intent);
            }
            2 | 3 => {
                let row = Row { size: random.random_range(0..1 << 40), run: self.runs, ..row(name) };
                ledger.record(row.clone()).await.unwrap();
                self.intents.remove(name);
                self.rows.insert(key, row);
            }
            4 => {
                ledger.drop_intent(name).await.unwrap();
                self.intents.remove(name);
            }
            5 if random.random_bool(0.5) => {
                ledger.upload_ended(name).await.unwrap();
                self.uploads.remove(name);
            }
            5 => {
                let id = UploadId(format!("upload-{}", random.random::<u32>()));
                let upload = OpenUpload { id, ..upload(name) };
                ledger.upload_started(upload.clone()).await.unwrap();
                self.uploads.insert(key, upload);
            }
            _ => {
                self.runs += 1;
                assert_eq!(ledger.start_run(RunKind::Pass, "test", "{}").await.unwrap(), self.runs);
            }
        }
    }
}

#[tokio::test]
async fn random_histories_agree_with_a_model() {
    for seed in 0..12 {
        let mut random = StdRng::seed_from_u64(seed);
        let dir = TempDir::new().unwrap();
        let mut model = Model::default();
        for life in 0..5 {
            let ledger = Ledger::open(dir.path(), &job()).unwrap();
            let what = format!("seed {seed}, life {life}");
            model.check(&ledger, &what).await;
            for _ in 0..random.random_range(0..25) {
                model.step(&ledger, &mut random).await;
            }
            model.check(&ledger, &what).await;
            if random.random_bool(0.5) {
                ledger.close().await.unwrap();
            }
        }
    }
}
