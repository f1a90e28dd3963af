//! `ls`, `head` and `cat`.

use serde_json::Value;

use crate::migration::Home;

crate::cases! {
    on_azurite needs ["azurite"],
    on_rgw needs ["rgw"],
    on_disk needs [],
}

/// Three objects under `base`, whatever it is; `base` ends in `/`.
fn read(home: &Home, base: &str) {
    let ls = |location: &str, flags: &[&str]| home.command("ls").arg(location).args(flags).run().expect(0);
    let flat = ls(base, &[]);
    flat.says("one.txt");
    flat.says("folder/");
    assert!(!flat.stdout.contains("two.txt"), "{flat}");
    let deep = ls(base, &["--recursive", "--json"]);
    let listed: Vec<Value> = deep.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let names: Vec<&str> = listed.iter().filter_map(|item| item["key"].as_str()).collect();
    assert_eq!(names.len(), 3, "{deep}");
    assert!(names.iter().any(|name| name.ends_with("folder/a b+c%2F.txt")), "{deep}");
    let head = home.command("head").arg(format!("{base}one.txt")).arg("--json").run().expect(0);
    let head: Value = serde_json::from_str(&head.stdout).unwrap();
    assert_eq!(head["size"], 3);
    let cat = |name: &str| home.command("cat").arg(format!("{base}{name}")).run().expect(0).stdout;
    assert_eq!(cat("one.txt"), "one");
    assert_eq!(cat("folder/a b+c%2F.txt"), "awkward");
    for verb in ["head", "cat"] {
        let missing = home.command(verb).arg(format!("{base}missing")).run().expect(1);
        missing.says("missing");
        assert_eq!(missing.stdout, "", "{missing}");
    }
}

const OBJECTS: [(&str, &[u8]); 3] =
    [("data/one.txt", b"one"), ("data/folder/two.txt", b"two"), ("data/folder/a b+c%2F.txt", b"awkward")];

fn on_azurite() {
    let azurite = acceptance::azurite().unwrap();
    let container = azurite.container("reading");
    for (name, content) in OBJECTS {
        azurite.raw.put(&container, name, &[], content);
    }
    read(&Home::with_azurite(&azurite), &format!("az://{container}/data/"));
    azurite.raw.remove_container(&container);
}

fn on_rgw() {
    let rgw = acceptance::rgw().unwrap();
    let bucket = rgw.bucket("reading");
    for (name, content) in OBJECTS {
        rgw.raw.put(&bucket, name, content);
    }
    read(&Home::with_s3(&rgw), &format!("s3://{bucket}/data/"));
    rgw.raw.remove_bucket(&bucket);
}

fn on_disk() {
    let home = Home::new();
    for (name, content) in OBJECTS {
        let path = home.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
    read(&home, &format!("{}/", home.text("data")));
}
