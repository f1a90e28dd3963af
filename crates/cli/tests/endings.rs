//! How a run ends when it can't go on, or is told not to: the texts, the report and the exit code, against a golden file.
//! `CABOTAGE_UPDATE_GOLDEN=1` writes it anew.

#![allow(clippy::unwrap_used, clippy::panic)]

mod testenv;

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::process::Stdio;
use std::sync::mpsc;
use std::time::Duration;

use testenv::golden::Golden;
use testenv::{Ran, TestEnv};

/// A user that may nothing.
const NOBODY: u32 = 65_534;

fn interrupt(child: &std::process::Child) {
    let sent = std::process::Command::new("kill").args(["-s", "INT", &child.id().to_string()]).status();
    assert!(sent.unwrap().success());
}

/// The program's first connection; none when it ends before.
fn connected(listener: &TcpListener, child: &mut std::process::Child) -> Option<TcpStream> {
    listener.set_nonblocking(true).unwrap();
    loop {
        match listener.accept() {
            Ok((stream, _)) => return Some(stream),
            Err(_) if child.try_wait().unwrap().is_some() => return None,
            Err(_) => std::thread::sleep(Duration::from_millis(5)),
        }
    }
}

/// Interrupted while the source's first listing is waited for.
#[test]
fn interrupted() {
    let mut golden = Golden::new("interrupted.txt");
    for args in [
        &["migrate", "s3://imaging", "out"][..],
        &["verify", "s3://imaging", "data"],
        &["check-access", "s3://imaging", "new"],
    ] {
        // One for each: a second connection of the first command would wait to be accepted.
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let env = TestEnv::new()
            .var("AWS_ACCESS_KEY_ID", "AK")
            .var("AWS_SECRET_ACCESS_KEY", "HUSH")
            .var("AWS_ENDPOINT_URL", &format!("http://{}", silent.local_addr().unwrap()));
        env.write("data/a", "1");
        let mut child = env.command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let connection = connected(&silent, &mut child);
        interrupt(&child);
        let ran = Ran::of(child.wait_with_output().unwrap());
        drop(connection);
        assert_eq!(ran.code, 130, "{ran:?}");
        golden.add_all(&env, args, &ran);
        assert!(!env.path("new").exists(), "check-access leaves no folder behind");
    }
    golden.check();
}

/// A file that takes nothing, in the place of each file that a run writes.
#[test]
fn no_space_left() {
    let env = TestEnv::new();
    env.write("data/a", "1");
    let mut golden = Golden::new("no-space.txt");
    for args in [
        &["migrate", "data", "out", "--manifest", "/dev/full"][..],
        &["migrate", "data", "out", "--report", "/dev/full"],
        &["verify", "data", "out", "--manifest", "/dev/full"],
    ] {
        let ran = env.run(args);
        golden.add_all(&env, args, &ran);
    }
    let args = ["cat", "data/a"];
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let output = env.command(&args).stdout(full).output().unwrap();
    golden.add(&env, &args, &Ran::of(output));
    golden.check();
}

/// A source's file that can't be read, and folders that can't be written. Root may everything, so it asks as another user.
#[test]
fn permission_denied() {
    let env = TestEnv::new();
    env.write("data/readable", "1");
    let closed = env.write("data/closed", "1");
    env.write("fixed/a", "1");
    let is_root = std::fs::metadata(&closed).unwrap().uid() == 0;
    if is_root {
        chown(env.path(""), Some(NOBODY), Some(NOBODY)).unwrap();
    }
    std::fs::set_permissions(&closed, std::fs::Permissions::from_mode(0o000)).unwrap();
    std::fs::set_permissions(env.path("fixed"), std::fs::Permissions::from_mode(0o555)).unwrap();
    let mut golden = Golden::new("permission-denied.txt");
    for args in [
        &["migrate", "data", "out"][..],
        &["migrate", "data", "fixed"],
        &["migrate", "data", "fixed/new"],
        &["cat", "data/closed"],
        &["migrate", "data", "out", "--report", "fixed/r.json"],
        &["migrate", "data", "out", "--manifest", "fixed/m"],
        &["migrate", "data", "out", "--state", "fixed/state"],
    ] {
        let mut command = env.command(args);
        if is_root {
            command.uid(NOBODY).gid(NOBODY);
        }
        match command.output() {
            Ok(output) => golden.add_all(&env, args, &Ran::of(output)),
            Err(error) if is_root && error.kind() == std::io::ErrorKind::PermissionDenied => {
                eprintln!("skipped: another user may not run the program where it lies");
                return;
            }
            Err(error) => panic!("{error}"),
        }
    }
    golden.check();
}

/// What a comparison says of objects that differ.
#[test]
fn content_differs() {
    let env = TestEnv::new();
    let name = "a\n\u{1b}[31m\u{202e}";
    env.write(&format!("data/{name}"), "content");
    let mut golden = Golden::new("differs.txt");
    assert_eq!(env.run(&["migrate", "data", "out"]).code, 0);
    env.write(&format!("out/{name}"), "spoiled");
    for args in [
        &["verify", "data", "out"][..],
        &["verify", "data", "out", "--destination-content", "read", "--source-content", "read"],
        &["migrate", "data", "out"],
    ] {
        golden.add_all(&env, args, &env.run(args));
    }
    golden.check();
}

/// A name of 1,024 bytes, the longest that S3 and Azure take, all of it in the text.
#[test]
fn a_name_of_1024_bytes() {
    let env = TestEnv::new();
    let segment = "\u{9b}".repeat(100);
    let name = format!("{}/{}", [segment.as_str(); 5].join("/"), "\u{1b}".repeat(19));
    assert_eq!(name.len(), 1_024);
    env.write(&format!("data/{name}"), "1");
    env.write(&format!("out/{name}"), "other");
    let mut golden = Golden::new("long-name.txt");
    golden.add_all(&env, &["migrate", "data", "out"], &env.run(&["migrate", "data", "out"]));
    golden.check();
}

/// `check-access`, interrupted while the object that it has written is being read: the object is taken away again.
#[test]
fn check_access_takes_its_object_away() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let env = TestEnv::new()
        .var("AWS_ACCESS_KEY_ID", "AK")
        .var("AWS_SECRET_ACCESS_KEY", "HUSH")
        .var("AWS_ENDPOINT_URL", &format!("http://{}", listener.local_addr().unwrap()));
    env.write("data/a", "1");
    let (asked, requests) = mpsc::channel();
    std::thread::spawn(move || {
        let mut held = Vec::new();
        for mut stream in listener.incoming().map_while(Result::ok) {
            let line = request_line(&mut stream);
            let is_read = line.starts_with("GET") && line.contains(".cabotage-probe-");
            if asked.send(line.clone()).is_err() {
                return;
            }
            let reply = match line.split(' ').next() {
                Some("GET") if is_read => {
                    held.push(stream);
                    continue;
                }
                Some("GET") if line.contains("versioning") => {
                    "200 OK\r\ncontent-length: 26\r\n\r\n<VersioningConfiguration/>"
                }
                Some("GET") => {
                    "200 OK\r\ncontent-length: 52\r\n\r\n<ListBucketResult><Name>b</Name></ListBucketResult>"
                }
                Some("PUT") => "200 OK\r\netag: \"e\"\r\ncontent-length: 0\r\n\r\n",
                _ => "204 No Content\r\n\r\n",
            };
            let _ = stream.write_all(
                format!("HTTP/1.1 {}", reply.replacen("\r\n", "\r\nconnection: close\r\n", 1)).as_bytes(),
            );
        }
    });
    let args = ["check-access", "data", "s3://imaging"];
    let child = env.command(&args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut seen = Vec::new();
    while !seen
        .last()
        .is_some_and(|line: &String| line.starts_with("GET") && line.contains(".cabotage-probe-"))
    {
        seen.push(requests.recv_timeout(Duration::from_secs(60)).unwrap());
    }
    interrupt(&child);
    let ran = Ran::of(child.wait_with_output().unwrap());
    assert_eq!(ran.code, 130, "{ran:?}");
    assert!(ran.stderr.contains("interrupted; nothing is left at the destination"), "{ran:?}");
    assert!(ran.stdout.contains("s3:PutObject"), "what was found out until then is told: {ran:?}");
    let written = seen.iter().find(|line| line.starts_with("PUT")).unwrap();
    let deleted = written.replacen("PUT", "DELETE", 1);
    assert!(requests.try_iter().any(|line| line == deleted), "{deleted:?}");
}

/// Method and target of a request whose body, if it has one, is read too.
fn request_line(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && matches!(stream.read(&mut byte), Ok(1)) {
        head.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let length = head
        .lines()
        .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    let _ = stream.read_exact(&mut body);
    let target = head.lines().next().unwrap_or_default().split('?').next().unwrap_or_default();
    let query =
        if head.lines().next().is_some_and(|line| line.contains("?versioning")) { " versioning" } else { "" };
    format!("{}{query}", target.trim_end_matches(" HTTP/1.1"))
}
