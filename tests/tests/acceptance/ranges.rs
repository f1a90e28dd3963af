//! Long listings are read in ranges at the same time, short ones as ever.

use std::time::Duration;

use acceptance::fast_s3::FastS3;
use tokio::runtime::Runtime;

use crate::migration::Home;

crate::cases! {
    a_long_listing_is_read_in_ranges needs [],
    a_short_listing_is_read_page_after_page needs [],
}

/// A server that takes its time, with two equal buckets.
struct Slow {
    server: FastS3,
    url: String,
    _runtime: Runtime,
}

impl Slow {
    fn start(objects: u32) -> Self {
        let runtime = Runtime::new().unwrap();
        let server = FastS3::new(Duration::from_millis(250));
        for bucket in ["from", "to"] {
            server.store().fill(&format!("{bucket}:{objects}:10-10").parse().unwrap());
        }
        let (listener, address) = runtime.block_on(FastS3::bind(0)).unwrap();
        runtime.spawn(server.clone().serve(listener));
        Self { server, url: format!("http://{address}"), _runtime: runtime }
    }

    fn home(&self) -> Home {
        Home::new()
            .variable("AWS_ENDPOINT_URL_S3", &self.url)
            .variable("AWS_REGION", "here")
            .variable("AWS_ACCESS_KEY_ID", "any")
            .variable("AWS_SECRET_ACCESS_KEY", "any")
    }

    fn lists(&self) -> u64 {
        self.server.counts().of("GET list")
    }
}

fn a_long_listing_is_read_in_ranges() {
    let slow = Slow::start(30_000);
    // Nothing is written and nothing looked at but the listings, so that they are what takes the time.
    let home = slow.home();
    let manifest = home.text("compared.ndjson");
    let flags = ["--attributes", "listing", "--manifest", &manifest, "s3://from", "s3://to"];
    let compared = home.command("verify").args(flags).run();
    let told = std::fs::read_to_string(&manifest).unwrap();
    let mut lines: Vec<&str> = told.lines().collect();
    lines.sort_unstable();
    lines.dedup();
    assert_eq!((told.lines().count(), lines.len()), (30_000, 30_000), "each once: {compared}");
    let most = slow.server.counts().most_lists();
    assert!(most >= 6, "at most {most} pages at once: two are those of one range");
    let lists = slow.lists();
    assert!((60..180).contains(&lists), "{lists} pages, where 60 would do");
}

fn a_short_listing_is_read_page_after_page() {
    let slow = Slow::start(2_500);
    let adopted = slow.home().migrate("s3://from", "s3://to", &["--adopt", "size"]).expect(3);
    assert_eq!(adopted.count("listed"), 2_500);
    let most = slow.server.counts().most_lists();
    assert!(most <= 2, "{most} pages at once");
    assert_eq!(slow.lists(), 6);
}
