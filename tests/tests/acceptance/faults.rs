//! Networks that break, servers that are busy: real servers behind a proxy that hurts requests and replies.

use acceptance::{Azurite, Harm, Plan, Proxy, S3Server, Tree, generate, read_tree, sha256};

use crate::migration::{Home, Migration};
use crate::parts::large_file;

crate::cases! {
    each_harm_alone needs ["azurite", "rgw"],
    all_harms_at_the_source needs ["azurite", "rgw"],
    all_harms_at_the_destination needs ["azurite", "rgw"],
    all_harms_at_both_ends needs ["azurite", "rgw"],
    all_harms_towards_azure needs ["azurite", "rgw"],
    what_can_not_be_moved_is_named needs ["azurite", "rgw"],
    turned_bits_from_the_source needs ["azurite", "rgw"],
}

const FLAGS: &[&str] = &["--part-threshold", "5MiB", "--concurrency", "16"];
/// How many small objects there are.
const SMALL: usize = 300;

/// The seed of all dice: `CABOTAGE_FAULTS_SEED`, else always the same.
fn seed() -> u64 {
    let seed = std::env::var("CABOTAGE_FAULTS_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(5);
    println!("the dice of the proxies: CABOTAGE_FAULTS_SEED={seed}");
    seed
}

/// Small objects, and two in parts.
fn folder(home: &Home, small: usize) -> Tree {
    let root = home.path("in");
    generate(&root, small, 21);
    large_file(&root.join("large/one.bin"), 6 << 20);
    large_file(&root.join("large/two.bin"), (11 << 20) + 1);
    read_tree(&root)
}

/// Both servers with a place each, the source's filled; proxies before them.
struct Lab {
    azurite: Azurite,
    rgw: S3Server,
    container: String,
    bucket: String,
    home: Home,
    azure: Proxy,
    s3: Proxy,
    tree: Tree,
}

impl Lab {
    /// The objects are in Azure, or in S3; nothing is hurt yet.
    fn new(in_azure: bool, small: usize) -> Self {
        let (azurite, rgw) = (acceptance::azurite().unwrap(), acceptance::rgw().unwrap());
        let (container, bucket) = (azurite.container("faults"), rgw.bucket("faults"));
        let direct = Home::with_servers(&azurite, &rgw);
        let tree = folder(&direct, small);
        let place = if in_azure { format!("az://{container}") } else { format!("s3://{bucket}") };
        direct.migrate(&direct.text("in"), &place, FLAGS).expect(0);
        let azure = Proxy::start(&azurite.raw.endpoint, Plan::calm());
        let s3 = Proxy::start(&rgw.raw.endpoint, Plan::calm());
        let through = azurite.connection_string.replace(&azurite.raw.endpoint, azure.url());
        assert!(through.contains(azure.url()), "the connection string names the proxy");
        let home = Home::with_servers(&azurite, &rgw)
            .variable("AZURE_STORAGE_CONNECTION_STRING", &through)
            .variable("AWS_ENDPOINT_URL_S3", s3.url());
        Self { azurite, rgw, container, bucket, home, azure, s3, tree }
    }

    fn to_s3(&self) -> Migration {
        let (from, to) = (format!("az://{}", self.container), format!("s3://{}", self.bucket));
        self.home.migrate(&from, &to, FLAGS)
    }

    fn to_azure(&self) -> Migration {
        let (from, to) = (format!("s3://{}", self.bucket), format!("az://{}", self.container));
        self.home.migrate(&from, &to, FLAGS)
    }

    /// Every object is at the destination, whole, and nothing else; asked without the proxy and the product.
    #[track_caller]
    fn all_in_s3(&self, what: &str) {
        let keys = self.rgw.raw.keys(&self.bucket);
        assert_eq!(keys.len(), self.tree.len(), "{what}: {keys:?}");
        for (name, digest) in &self.tree {
            let content = self.rgw.raw.get(&self.bucket, name);
            let content = content.unwrap_or_else(|| panic!("{what}: {name} is missing"));
            assert_eq!(sha256(&content), *digest, "{what}: {name}");
        }
        assert_eq!(self.rgw.raw.open_uploads(&self.bucket), 0, "{what}: an upload is left open");
    }

    #[track_caller]
    fn all_in_azure(&self, what: &str) {
        for (name, digest) in &self.tree {
            let content = self.azurite.raw.get(&self.container, name);
            let content = content.unwrap_or_else(|| panic!("{what}: {name} is missing"));
            assert_eq!(sha256(&content), *digest, "{what}: {name}");
        }
        let query = [("restype", "container"), ("comp", "list"), ("include", "uncommittedblobs")];
        let listed = self.azurite.raw.request("GET", &format!("/{}", self.container), &query, &[], b"");
        let listed = listed.expect(200).elements("Name").len();
        assert_eq!(listed, self.tree.len(), "{what}: something else is there, or blocks without a blob");
    }

    /// An empty place for the next run, whose job is another.
    fn next_bucket(&mut self) {
        self.rgw.raw.remove_bucket(&self.bucket);
        self.bucket = self.rgw.bucket("faults");
    }

    fn remove(&self) {
        self.rgw.raw.remove_bucket(&self.bucket);
        self.azurite.raw.remove_container(&self.container);
    }
}

/// Everything was moved in this one run.
#[track_caller]
fn complete(lab: &Lab, done: Migration, what: &str) {
    let done = done.expect(0);
    assert_eq!(done.count("verified"), lab.tree.len() as u64, "{what}: {:#}", done.report);
    assert_eq!(done.digests(), lab.tree, "{what}: the manifest");
}

fn each_harm_alone() {
    let seed = seed();
    let mut lab = Lab::new(true, SMALL / 2);
    for harm in Harm::BEARABLE {
        let what = format!("{harm:?} at both ends, seed {seed}");
        lab.azure.set(Plan::new(seed, &[harm], 8, &lab.container));
        lab.s3.set(Plan::new(seed, &[harm], 8, &lab.bucket));
        complete(&lab, lab.to_s3(), &what);
        let (azure, s3) = (lab.azure.done(harm), lab.s3.done(harm));
        // Hardly a request to the source has a body, hardly a reply of the destination.
        let (least_azure, least_s3) = match harm {
            Harm::FlipRequest => (0, 5),
            Harm::Truncate => (5, 0),
            _ => (5, 5),
        };
        assert!(azure >= least_azure && s3 >= least_s3, "{what}: {azure} and {s3} times");
        lab.all_in_s3(&what);
        lab.next_bucket();
    }
    lab.remove();
}

/// All at once, at the ends named: the run ends well, and so does the next, which has nothing to do.
fn all_at_once(at_source: bool, at_destination: bool) {
    let seed = seed();
    let lab = Lab::new(true, SMALL);
    let what = format!("at the source {at_source}, at the destination {at_destination}, seed {seed}");
    if at_source {
        lab.azure.set(Plan::new(seed, &Harm::BEARABLE, 3, &lab.container));
    }
    if at_destination {
        lab.s3.set(Plan::new(seed, &Harm::BEARABLE, 3, &lab.bucket));
    }
    complete(&lab, lab.to_s3(), &what);
    lab.all_in_s3(&what);
    let again = lab.to_s3().expect(0);
    assert_eq!((again.copied(), again.count("skipped")), (0, lab.tree.len() as u64), "{what}: {}", again.run);
    lab.remove();
}

fn all_harms_at_the_source() {
    all_at_once(true, false);
}

fn all_harms_at_the_destination() {
    all_at_once(false, true);
}

fn all_harms_at_both_ends() {
    all_at_once(true, true);
}

fn all_harms_towards_azure() {
    let seed = seed();
    let lab = Lab::new(false, SMALL);
    let what = format!("towards Azure, seed {seed}");
    lab.azure.set(Plan::new(seed, &Harm::BEARABLE, 3, &lab.container));
    lab.s3.set(Plan::new(seed, &Harm::BEARABLE, 3, &lab.bucket));
    complete(&lab, lab.to_azure(), &what);
    lab.all_in_azure(&what);
    lab.remove();
}

/// Objects that break every time fail and are named, the others are moved; without the fault the next run moves the rest.
fn what_can_not_be_moved_is_named() {
    let lab = Lab::new(true, SMALL / 3);
    let bad: Vec<String> = (0..4).map(|n| format!("bad-{n}/in transit-{n}")).collect();
    for name in &bad {
        lab.azurite.raw.put(&lab.container, name, &[], name.as_bytes());
    }
    // The server refuses what was turned on its way to it; what the source cuts short is never written.
    lab.s3.set(Plan::always(Harm::FlipRequest, "/bad-0/"));
    lab.azure.set(Plan::always(Harm::Truncate, "/bad-1/"));
    let done = lab.to_s3().expect(3);
    assert_eq!(done.count("failed"), 2, "{}", done.run);
    let told = done.report["failures"].to_string();
    assert!(told.contains("digest-mismatch"), "{told}");
    for name in &bad[..2] {
        assert_eq!(done.line(name)["class"], "failed", "{}", done.line(name));
        assert!(told.contains(name.as_str()), "{name}: {told}");
        done.run.says(name);
        assert_eq!(lab.rgw.raw.get(&lab.bucket, name), None, "{name} was written");
    }
    assert_eq!(done.count("verified"), lab.tree.len() as u64 + 2, "{}", done.run);
    lab.s3.set(Plan::calm());
    lab.azure.set(Plan::calm());
    let done = lab.to_s3().expect(0);
    assert_eq!(done.copied(), 2, "{}", done.run);
    for name in &bad {
        assert_eq!(lab.rgw.raw.get(&lab.bucket, name).as_deref(), Some(name.as_bytes()), "{name}");
    }
    lab.remove();
}

/// Over plain HTTP nothing tells a reader that the network has turned a bit of what it reads (TLS does): the run believes
/// it, and a comparison that reads both ends finds each such object.
fn turned_bits_from_the_source() {
    let seed = seed();
    let lab = Lab::new(true, SMALL / 3);
    lab.azure.set(Plan::new(seed, &[Harm::FlipReply], 10, &lab.container));
    let done = lab.to_s3().expect(0);
    assert!(lab.azure.done(Harm::FlipReply) >= 3, "{}", done.run);
    let spoilt: Vec<&String> = lab
        .tree
        .iter()
        .filter(|(name, digest)| {
            let content = lab.rgw.raw.get(&lab.bucket, name).unwrap();
            sha256(&content) != **digest
        })
        .map(|(name, _)| name)
        .collect();
    assert!(!spoilt.is_empty(), "{}", done.run);
    lab.azure.set(Plan::calm());
    let manifest = lab.home.path("compared.ndjson");
    let (from, to) = (format!("az://{}", lab.container), format!("s3://{}", lab.bucket));
    let levels = ["--source-content", "read", "--destination-content", "read"];
    let compared = lab.home.command("verify").arg(from).arg(to).args(levels).arg("--manifest").arg(&manifest);
    let compared = compared.run().expect(4);
    let lines = std::fs::read_to_string(manifest).unwrap();
    let found: Vec<serde_json::Value> =
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let mut found: Vec<&str> = found
        .iter()
        .filter(|line| line["result"] == "different")
        .filter_map(|line| line["key"].as_str())
        .collect();
    found.sort_unstable();
    assert_eq!(found, spoilt, "{compared}");
    lab.remove();
}
