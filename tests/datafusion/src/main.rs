//! One query of DataFusion on Parquet, before a migration by the binary and after it: Azurite to Ceph RGW. Both times it reads
//! through the bridge, and the answers must be the same. Needs the servers and `CABOTAGE_BIN` (`scripts/datafusion`).

use std::error::Error;
use std::sync::Arc;

use acceptance::{Cabotage, azurite, rgw};
use cabotage::{Environment, Layers, Location, OpenOptions, Role, Stores};
use datafusion::arrow::array::{ArrayRef, Float64Array, Int64Array, StringArray};
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::arrow::util::pretty::pretty_format_batches;
use datafusion::dataframe::DataFrameWriteOptions;
use datafusion::functions_aggregate::expr_fn::{avg, count, max, sum};
use datafusion::prelude::{ParquetReadOptions, SessionContext, col, lit};
use url::Url;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Rows of each of the files.
const ROWS: i64 = 200_000;
const FILES: i64 = 4;

#[tokio::main]
async fn main() -> Result<()> {
    let (azure, ceph) =
        (azurite().ok_or("no Azurite in the environment")?, rgw().ok_or("no RGW in the environment")?);
    let source = format!("az://{}", azure.container("datafusion"));
    let destination = format!("s3://{}", ceph.bucket("datafusion"));

    let before = session(&source, azure.variables()).await?;
    for file in 0..FILES {
        let url = format!("lake://before/measures/year={}/part.parquet", 2022 + file);
        let written = before.read_batch(rows(file)?)?;
        written.write_parquet(&url, DataFrameWriteOptions::new().with_single_file_output(true), None).await?;
    }
    let asked = answer(&before, "before").await?;
    println!("before, {source}\n{asked}");

    let home = tempfile::tempdir()?;
    let run = Cabotage::new(home.path(), "migrate")
        .args(["--s3-provider", "ceph", &source, &destination])
        .variables(azure.variables())
        .variables(ceph.variables())
        .run();
    if run.code != Some(0) {
        return Err(format!("the migration ended with {:?}: {}", run.code, run.stderr).into());
    }

    let after = session(&destination, ceph.variables()).await?;
    let again = answer(&after, "after").await?;
    println!("after, {destination}\n{again}");
    if asked == again {
        println!("the same answer");
        return Ok(());
    }
    Err("the answers differ".into())
}

/// DataFusion with that location as `lake://…/`.
async fn session(location: &str, variables: Vec<(String, String)>) -> Result<SessionContext> {
    let stores = Stores::without_file(variables.into_iter().collect::<Environment>());
    let s3_provider = location.starts_with("s3:").then(|| "ceph".to_owned());
    let options = OpenOptions { s3_provider, role: Role::Destination, ..OpenOptions::default() };
    let opened = stores.open(&Location::parse(location)?, &options).await?;
    let context = SessionContext::new();
    for name in ["lake://before/", "lake://after/"] {
        context.register_object_store(&Url::parse(name)?, opened.object_store(&Layers::default()));
    }
    Ok(context)
}

/// Measures of a hundred stations.
fn rows(file: i64) -> Result<RecordBatch> {
    let numbers = || file * ROWS..(file + 1) * ROWS;
    let stations: StringArray = numbers().map(|i| Some(format!("station-{:02}", i * 7919 % 100))).collect();
    let ids = Int64Array::from_iter_values(numbers());
    let values = Float64Array::from_iter_values(numbers().map(|i| (i * 104_729 % 10_007) as f64 / 8.0));
    let columns: [(&str, ArrayRef); 3] =
        [("id", Arc::new(ids)), ("station", Arc::new(stations)), ("value", Arc::new(values))];
    Ok(RecordBatch::try_from_iter(columns)?)
}

/// Reads footers, column chunks by range, and row groups that the filter can't rule out.
async fn answer(context: &SessionContext, place: &str) -> Result<String> {
    let table =
        context.read_parquet(format!("lake://{place}/measures/"), ParquetReadOptions::default()).await?;
    let picked = table.filter(col("id").gt_eq(lit(150_000_i64)).and(col("value").gt(lit(100.0))))?;
    let grouped = picked.aggregate(
        vec![col("station")],
        vec![
            count(col("id")).alias("rows"),
            sum(col("id")).alias("ids"),
            avg(col("value")).alias("mean"),
            max(col("value")).alias("most"),
        ],
    )?;
    let sorted = grouped.sort(vec![col("station").sort(true, false)])?.limit(0, Some(10))?;
    Ok(pretty_format_batches(&sorted.collect().await?)?.to_string())
}
