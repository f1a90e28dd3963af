//! An Azure account with a hierarchical namespace, as the REST reference documents its replies: no emulator has one, so
//! nothing here was seen on a server.

use cabotage_http::testing::{Answer, Received, ReplyQueue};

use crate::migration::Home;

crate::cases! {
    owners_and_access_lists_are_exported needs [],
    a_disk_has_none_to_export needs [],
}

const RIGHTS: &str = "<Owner>8e2a0a1c</Owner><Group>$superuser</Group><Permissions>rwxr-x---+</Permissions>\
    <Acl>user::rwx,user:5f3c:r-x,group::r-x,mask::r-x,other::---</Acl>";

/// Two folders, one of them empty, and a file.
const NAMES: [(&str, &str); 3] = [("raw", "directory"), ("raw/scan", "file"), ("raw-empty", "directory")];

fn blob(name: &str, kind: &str, rights: &str) -> String {
    let (length, metadata) = match kind {
        "file" => (7, ""),
        _ => (0, "<Metadata><hdi_isfolder>true</hdi_isfolder></Metadata>"),
    };
    format!(
        "<Blob><Name>{name}</Name><Properties><Last-Modified>Tue, 24 Nov 2026 21:52:48 GMT</Last-Modified>\
         <Etag>0x1</Etag><ResourceType>{kind}</ResourceType><Content-Length>{length}</Content-Length>\
         <Content-Type>application/octet-stream</Content-Type><BlobType>BlockBlob</BlobType>{rights}</Properties>\
         {metadata}</Blob>"
    )
}

fn answer(request: &Received) -> Answer {
    let target = request.target.as_str();
    let page = |blobs: String| {
        Answer::new(200).body(format!(
            "<EnumerationResults ContainerName=\"data\"><Blobs>{blobs}</Blobs><NextMarker/></EnumerationResults>"
        ))
    };
    if target.contains("restype=account") {
        return Answer::new(200).header("x-ms-is-hns-enabled", "true");
    }
    if target.contains("comp=list") {
        let rights = if target.contains("permissions") { RIGHTS } else { "" };
        return match target.contains("deleted") {
            true => page("<Blob><Name>raw/old</Name><Deleted>true</Deleted><Properties/></Blob>".into()),
            false => page(NAMES.map(|(name, kind)| blob(name, kind, rights)).concat()),
        };
    }
    let path = target.split('?').next().unwrap_or_default();
    if !NAMES.iter().any(|(name, _)| path == format!("/data/{name}")) {
        return Answer::new(404).header("x-ms-error-code", "BlobNotFound");
    }
    let body = if target.contains("scan") { "content" } else { "" };
    let reply = Answer::new(200).header("etag", "\"0x1\"").header("x-ms-blob-type", "BlockBlob");
    let reply = reply.header("content-type", "application/octet-stream");
    let reply = if body.is_empty() { reply.header("x-ms-meta-hdi_isfolder", "true") } else { reply };
    reply.header("last-modified", "Tue, 24 Nov 2026 21:52:48 GMT").body(body)
}

fn owners_and_access_lists_are_exported() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let queue = runtime.block_on(ReplyQueue::start()).unwrap();
    for _ in 0..100 {
        queue.push_with(answer);
    }
    let place = format!("BlobEndpoint={};SharedAccessSignature=sv=1&sig=x;AccountName=acc", queue.url());
    let home = Home::new().variable("AZURE_STORAGE_CONNECTION_STRING", &place);
    let (out, export) = (home.text("out"), home.text("acl.ndjson"));
    let done = home.migrate("az://data", &out, &[]).expect(3);
    assert_eq!(done.report["losses"]["posix-acl"]["refused"], 3, "{:#}", done.report);
    done.run.says("--accept-loss posix-acl");
    let done = home.migrate("az://data", &out, &["--acl-export", &export]).expect(0);
    assert_eq!(done.count("verified"), 3, "{}", done.run);
    assert_eq!(done.report["losses"]["posix-acl"]["accepted"], 3, "{:#}", done.report);
    assert_eq!(done.report["losses"]["deleted-not-moved"]["accepted"], 1, "{:#}", done.report);
    let text = std::fs::read_to_string(&export).unwrap();
    let lines: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let told: Vec<_> =
        lines.iter().map(|line| (line["key"].as_str().unwrap(), line["folder"] == true)).collect();
    assert_eq!(told, NAMES.map(|(name, kind)| (name, kind == "directory")));
    assert_eq!(lines[1]["acl"], "user::rwx,user:5f3c:r-x,group::r-x,mask::r-x,other::---");
    let empty = home.command("head").arg(format!("{out}/raw-empty")).run().expect(0);
    empty.says("hdi_isfolder");
}

fn a_disk_has_none_to_export() {
    let home = Home::new();
    std::fs::create_dir(home.path("in")).unwrap();
    let export = home.text("acl.ndjson");
    let run = home.migrate(&home.text("in"), &home.text("out"), &["--acl-export", &export]).expect(2).run;
    run.says("--acl-export");
    assert!(!home.path("acl.ndjson").exists());
}
