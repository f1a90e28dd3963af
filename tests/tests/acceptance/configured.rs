//! Named stores of the configuration file.

use acceptance::generate;

use crate::migration::Home;

crate::cases! {
    named_store needs ["rgw"],
    named_azure_store needs ["azurite"],
    ambient_variables_are_ignored needs ["rgw"],
    unknown_keys_are_refused needs [],
    secrets_in_the_file_are_refused needs [],
    show_tells_origins_and_no_secrets needs ["rgw"],
    check_access_tells_rights needs ["azurite", "rgw"],
}

fn rgw_store(home: &Home) -> String {
    let rgw = acceptance::rgw().unwrap();
    std::fs::write(home.path("secret"), &rgw.raw.secret_key).unwrap();
    let text = format!(
        "[stores.target]\nkind = \"s3\"\nprovider = \"ceph\"\nendpoint = \"{}\"\nregion = \"us-east-1\"\n\
         credentials = {{ access_key_id = \"{}\", secret_access_key = {{ file = \"{}\" }} }}\n",
        rgw.raw.endpoint,
        rgw.raw.access_key,
        home.text("secret")
    );
    std::fs::write(home.path("config.toml"), text).unwrap();
    home.text("config.toml")
}

fn named_store() {
    let rgw = acceptance::rgw().unwrap();
    let home = Home::new();
    let config = rgw_store(&home);
    let bucket = rgw.bucket("named");
    let tree = generate(&home.path("in"), 10, 30);
    let done =
        home.migrate(&home.text("in"), &format!("target:{bucket}/data"), &["--config", &config]).expect(0);
    assert_eq!(done.digests(), tree);
    let name = tree.keys().next().unwrap();
    assert!(rgw.raw.get(&bucket, &format!("data/{name}")).is_some());
    rgw.raw.remove_bucket(&bucket);
}

fn named_azure_store() {
    let azurite = acceptance::azurite().unwrap();
    let home = Home::new().variable("MY_OWN_KEY", &azurite.raw.key);
    let container = azurite.container("named");
    let text = format!(
        "[stores.source]\nkind = \"azure\"\naccount = \"{}\"\nendpoint = \"{}\"\n\
         credentials = {{ account_key = {{ env = \"MY_OWN_KEY\" }} }}\n",
        azurite.raw.account, azurite.raw.endpoint
    );
    std::fs::write(home.path("config.toml"), text).unwrap();
    let tree = generate(&home.path("in"), 10, 31);
    let config = home.text("config.toml");
    let done =
        home.migrate(&home.text("in"), &format!("source:{container}"), &["--config", &config]).expect(0);
    assert_eq!(done.digests(), tree);
    azurite.raw.remove_container(&container);
}

/// Variables of another account don't reach a named store.
fn ambient_variables_are_ignored() {
    let rgw = acceptance::rgw().unwrap();
    let home = Home::new()
        .variable("AWS_ACCESS_KEY_ID", "another")
        .variable("AWS_SECRET_ACCESS_KEY", "the-secret-of-another")
        .variable("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:1")
        .variable("AWS_REGION", "elsewhere");
    let config = rgw_store(&home);
    let bucket = rgw.bucket("ambient");
    rgw.raw.put(&bucket, "here", b"x");
    let run = home.command("ls").arg(format!("target:{bucket}")).args(["--config", &config]).run().expect(0);
    run.says("here");
    rgw.raw.remove_bucket(&bucket);
}

fn unknown_keys_are_refused() {
    let home = Home::new();
    for (text, wrong, meant) in [
        ("[stores.x]\nkind = \"s3\"\nregoin = \"a\"\n", "regoin", "region"),
        ("[store.x]\nkind = \"s3\"\n", "store", "stores"),
        ("[stores.x]\nkind = \"s4\"\n", "s4", "s3"),
        ("[stores.x]\nkind = \"s3\"\nprovider = \"scalway\"\n", "scalway", "scaleway"),
    ] {
        std::fs::write(home.path("config.toml"), text).unwrap();
        let run =
            home.command("ls").args(["x:bucket", "--config", &home.text("config.toml")]).run().expect(2);
        run.says(wrong);
        run.says(meant);
    }
}

fn secrets_in_the_file_are_refused() {
    let home = Home::new();
    let text = "[stores.x]\nkind = \"s3\"\nendpoint = \"https://s3.example.org\"\n\
                credentials = { access_key_id = \"id\", secret_access_key = \"literal-secret-text\" }\n";
    std::fs::write(home.path("config.toml"), text).unwrap();
    let run = home.command("ls").args(["x:bucket", "--config", &home.text("config.toml")]).run().expect(2);
    assert!(!run.all().contains("literal-secret-text"), "the secret shows: {run}");
}

fn show_tells_origins_and_no_secrets() {
    let rgw = acceptance::rgw().unwrap();
    let home = Home::with_s3(&rgw);
    let config = rgw_store(&home);
    let run = home.command("config").args(["show", "--config", &config]).run().expect(0);
    run.says(&rgw.raw.endpoint);
    run.says("stores.target.provider");
}

fn check_access_tells_rights() {
    let (azurite, rgw) = (acceptance::azurite().unwrap(), acceptance::rgw().unwrap());
    let home = Home::with_servers(&azurite, &rgw);
    let (container, bucket) = (azurite.container("access"), rgw.bucket("access"));
    azurite.raw.put(&container, "x", &[], b"content");
    let ends = [format!("az://{container}"), format!("s3://{bucket}")];
    let run = home.command("check-access").args(ends).run().expect(0);
    run.says("wrong digest");
    assert_eq!(rgw.raw.keys(&bucket).len(), 0, "something was left: {run}");
    azurite.raw.remove_container(&container);
    rgw.raw.remove_bucket(&bucket);
}
