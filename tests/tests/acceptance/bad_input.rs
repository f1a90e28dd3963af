//! Bad input ends in one clear line and the right exit code, with nothing half done and no secret told.

use acceptance::{Run, generate, random_name, read_tree};

use crate::migration::Home;
use crate::mount::Mount;

crate::cases! {
    missing_folder needs [],
    missing_container needs ["azurite"],
    missing_bucket needs ["rgw"],
    wrong_account_key needs ["azurite"],
    wrong_secret_key needs ["rgw"],
    unreachable_endpoint needs [],
    plaintext_off_this_machine needs [],
    no_endpoint needs [],
    unknown_scheme needs [],
    unknown_flag needs [],
    same_place needs [],
    numbers_out_of_bounds needs [],
    read_only_folder needs ["mount"],
}

/// One line that begins with `error:` and holds the texts.
#[track_caller]
pub(crate) fn one_line(run: &Run, code: i32, texts: &[&str]) {
    assert_eq!(run.code, Some(code), "{run}");
    let errors: Vec<&str> = run.stderr.lines().filter(|line| line.starts_with("error:")).collect();
    assert_eq!(errors.len(), 1, "one line that begins with 'error:': {run}");
    for text in texts {
        assert!(errors[0].contains(text), "wanted {text:?} in: {run}");
    }
}

fn input(home: &Home) -> String {
    generate(&home.path("in"), 3, 20);
    home.text("in")
}

fn missing_folder() {
    let home = Home::new();
    let run = home.command("migrate").args([home.text("nowhere"), home.text("out")]).run();
    one_line(&run, 1, &["nowhere"]);
    assert!(!home.path("out").exists() || read_tree(&home.path("out")).is_empty());
}

fn missing_container() {
    let home = Home::with_azurite(&acceptance::azurite().unwrap());
    let name = random_name("missing");
    let url = format!("az://{name}");
    one_line(&home.command("migrate").args([&url, &home.text("out")]).run(), 1, &[&name, "container"]);
    one_line(&home.command("migrate").args([&input(&home), &url]).run(), 1, &[&name, "container"]);
    one_line(&home.command("ls").arg(&url).run(), 1, &[&name, "container"]);
}

fn missing_bucket() {
    let home = Home::with_s3(&acceptance::rgw().unwrap());
    let name = random_name("missing");
    let url = format!("s3://{name}");
    one_line(&home.command("ls").arg(&url).run(), 1, &[&name, "bucket"]);
    one_line(&home.command("migrate").args([&url, &home.text("out")]).run(), 1, &[&name, "bucket"]);
    one_line(&home.command("migrate").args([&input(&home), &url]).run(), 1, &[&name, "bucket"]);
}

fn wrong_account_key() {
    let azurite = acceptance::azurite().unwrap();
    let container = azurite.container("key");
    let wrong = "d3JvbmctYWNjb3VudC1rZXktdGhhdC1pcy1uby1yZWFsLWtleQ==";
    let text = azurite.connection_string.replace(&azurite.raw.key, wrong);
    let home = Home::with_azurite(&azurite).variable("AZURE_STORAGE_CONNECTION_STRING", &text);
    let run = home.command("migrate").args([input(&home), format!("az://{container}")]).run();
    one_line(&run, 1, &["403"]);
    assert!(!run.all().contains(wrong), "the key shows: {run}");
    let home = home.variable("AZURE_STORAGE_CONNECTION_STRING", "AccountName=x;AccountKey=no base64!");
    let run = home.command("ls").arg(format!("az://{container}")).run();
    one_line(&run, 2, &["Base64"]);
    assert!(!run.all().contains("no base64!"), "the key shows: {run}");
    azurite.raw.remove_container(&container);
}

fn wrong_secret_key() {
    let rgw = acceptance::rgw().unwrap();
    let bucket = rgw.bucket("key");
    let home = Home::with_s3(&rgw).variable("AWS_SECRET_ACCESS_KEY", "a-wrong-secret-key");
    let run = home.command("migrate").args([input(&home), format!("s3://{bucket}")]).run();
    one_line(&run, 1, &["SignatureDoesNotMatch"]);
    let home = home.variable("AWS_ACCESS_KEY_ID", "nobodys-key");
    one_line(&home.command("ls").arg(format!("s3://{bucket}")).run(), 1, &["InvalidAccessKeyId"]);
    rgw.raw.remove_bucket(&bucket);
}

/// Keys of nobody, for an endpoint that isn't reached.
fn nobody(endpoint: &str) -> Home {
    Home::new()
        .variable("AWS_ENDPOINT_URL_S3", endpoint)
        .variable("AWS_ACCESS_KEY_ID", "nobody")
        .variable("AWS_SECRET_ACCESS_KEY", "the-secret-of-nobody")
        .variable("AWS_REGION", "nowhere-1")
}

fn unreachable_endpoint() {
    // Port 1 of this machine: nothing listens there.
    let run = nobody("http://127.0.0.1:1").command("ls").arg("s3://bucket").run();
    one_line(&run, 1, &["127.0.0.1:1", "reach"]);
    let run = nobody("https://no-such-host.invalid").command("ls").arg("s3://bucket").run();
    one_line(&run, 1, &["no-such-host.invalid"]);
}

fn plaintext_off_this_machine() {
    let run = nobody("http://storage.example.org").command("ls").arg("s3://bucket").run();
    one_line(&run, 2, &["plaintext", "--allow-plaintext"]);
}

/// Without an endpoint data would go to a provider that nobody named.
fn no_endpoint() {
    let home = Home::new()
        .variable("AWS_ACCESS_KEY_ID", "nobody")
        .variable("AWS_SECRET_ACCESS_KEY", "the-secret-of-nobody")
        .variable("AWS_REGION", "eu-west-3");
    let run = home.command("migrate").args([input(&home), "s3://bucket".to_owned()]).run();
    one_line(&run, 2, &["AWS_ENDPOINT_URL_S3", "--s3-provider"]);
}

fn unknown_scheme() {
    let home = Home::new();
    let run = home.command("migrate").args([&input(&home), "gopher://x/y"]).run();
    one_line(&run, 2, &["gopher://", "az://", "s3://"]);
}

fn unknown_flag() {
    let home = Home::new();
    let run = home.command("migrate").args(["in", "out", "--overwite", "never"]).run();
    one_line(&run, 2, &["--overwite"]);
}

fn same_place() {
    let home = Home::new();
    let from = input(&home);
    for to in [from.clone(), format!("{from}/sub"), format!("{from}/"), format!("file://{from}")] {
        let before = read_tree(&home.path("in"));
        one_line(&home.command("migrate").args([&from, &to]).run(), 2, &["same place"]);
        assert_eq!(read_tree(&home.path("in")), before);
    }
}

fn numbers_out_of_bounds() {
    let home = Home::new();
    let from = input(&home);
    for (flag, value) in [
        ("--concurrency", "0"),
        ("--concurrency", "5000"),
        ("--concurrency", "many"),
        ("--memory", "1KiB"),
        ("--memory", "2 potatoes"),
        ("--max-objects", "0"),
        ("--part-threshold", "12QiB"),
    ] {
        let run = home.command("migrate").args([&from, &home.text("out"), flag, value]).run();
        one_line(&run, 2, &[flag]);
    }
}

fn read_only_folder() {
    let home = Home::new();
    let from = input(&home);
    let out = home.text("out");
    let _mount = Mount::new(&out, "ro,size=1m");
    let run = home.command("migrate").args([&from, &out]).run();
    one_line(&run, 1, &["ead-only"]);
    assert_eq!(read_tree(&home.path("out")).len(), 0);
}
