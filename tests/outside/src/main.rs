//! Stores an object and reads it back, at the location that the command line names.

#[tokio::main(flavor = "current_thread")]
async fn main() -> cabotage::Result<()> {
    let location = std::env::args().nth(1).unwrap_or_else(|| "memory://m".to_owned());
    store_and_read(&location).await
}

#[rustfmt::skip]
async fn store_and_read(location: &str) -> cabotage::Result<()> {
    // The five lines of README.md and docs/services.md.
    use cabotage::{Key, StorageExt as _};
    let store = cabotage::open(location).await?;
    let key = Key::new("reports/2026.csv")?;
    store.put(&key, "a,b\n1,2\n".into()).await?;
    assert_eq!(store.read_all(&key, 1 << 20).await?, "a,b\n1,2\n");
    // Up to here.
    Ok(())
}
