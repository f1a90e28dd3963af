//! Limits of each end: what they let through, and what the report tells of them.

use acceptance::{generate, read_tree};

use crate::migration::{Home, Migration};

crate::cases! {
    a_slow_link_moves_everything needs ["azurite", "rgw"],
}

/// Milliseconds for which an end's limits made something wait.
#[track_caller]
fn waited(done: &Migration, end: &str) -> u64 {
    let limits = &done.report["endpoints"][end]["limits"];
    limits["waited_millis"].as_u64().unwrap_or_else(|| panic!("no limits of the {end}: {:#}", done.report))
}

fn requests(done: &Migration, end: &str) -> u64 {
    done.report["endpoints"][end]["traffic"]["requests"].as_u64().unwrap()
}

/// Disk to Azure to S3, all ends limited: all is verified, and no request is sent twice for want of patience.
fn a_slow_link_moves_everything() {
    let (azurite, rgw) = (acceptance::azurite().unwrap(), acceptance::rgw().unwrap());
    let (container, bucket) = (azurite.container("limits"), rgw.bucket("limits"));
    let home = Home::with_servers(&azurite, &rgw);
    let mut tree = generate(&home.path("in"), 60, 41);
    std::fs::write(home.path("in/large"), vec![7; 6 << 20]).unwrap();
    tree = read_tree(&home.path("in")).into_iter().chain(tree).collect();
    let limits = &["--bandwidth", "8MiB/s", "--requests-per-second", "100", "--part-threshold", "5MiB"];
    let there = format!("az://{container}");
    let first = home.migrate(&home.text("in"), &there, limits).expect(0);
    assert_eq!(first.count("verified"), tree.len() as u64);
    assert!(waited(&first, "source") > 0, "a disk is limited too");
    assert!(waited(&first, "destination") > 0);
    first.run.says("The source was kept to 8 MiB/s, 100 requests/s; waited ");
    let own = ["--source-bandwidth", "none", "--destination-requests-per-second", "50"];
    let flags = [&limits[..], &own].concat();
    let second = home.migrate(&there, &format!("s3://{bucket}"), &flags).expect(0);
    assert_eq!(second.digests(), tree);
    second.run.says("The source was kept to 100 requests/s; waited ");
    second.run.says("The destination was kept to 8 MiB/s, 50 requests/s; waited ");
    assert_eq!(second.report["endpoints"]["destination"]["traffic"]["retries"], 0);
    assert!(waited(&second, "destination") > 0 && requests(&second, "destination") >= 60);
    let verify = ["--bwlimit", "4MiB/s", "--destination-content", "read"];
    let compared = home.command("verify").args([&there, &format!("s3://{bucket}")]).args(verify).run();
    assert_eq!(compared.code, Some(0), "{compared}");
    compared.says("The destination was kept to 4 MiB/s; waited ");
    let status = home.command("status").run();
    status.says("destination limits:     4 MiB/s; waited ");
    azurite.raw.remove_container(&container);
    rgw.raw.remove_bucket(&bucket);
}
