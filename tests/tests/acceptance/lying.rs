//! Servers whose listings lie or break: the run stops with an error that says so, on both clouds.
//!
//! A reply-queue server stands for the source, and the real binary migrates from it to a disk.

use acceptance::Run;
use cabotage_http::testing::{Answer, Received, ReplyQueue};

use crate::migration::Home;

crate::cases! {
    honest_listings_are_moved needs [],
    names_that_lie needs [],
    markers_that_lie needs [],
    pages_of_nothing_without_an_end needs [],
    documents_that_are_none needs [],
    documents_that_never_end needs [],
}

/// More requests than any case makes.
const REQUESTS: usize = 200;

/// A cloud, and how its listings are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cloud {
    S3,
    Azure,
}

const CLOUDS: [Cloud; 2] = [Cloud::S3, Cloud::Azure];

impl Cloud {
    /// One page; with a marker of the next.
    fn page(self, names: &[&str], marker: Option<&str>) -> String {
        let entries: String = names.iter().map(|name| self.entry(name)).collect();
        match self {
            Self::S3 => {
                let next = marker.map(|m| format!("<NextContinuationToken>{m}</NextContinuationToken>"));
                let (truncated, next) = (next.is_some(), next.unwrap_or_default());
                format!(
                    "<ListBucketResult><IsTruncated>{truncated}</IsTruncated>{next}{entries}</ListBucketResult>"
                )
            }
            Self::Azure => format!(
                "<EnumerationResults><Blobs>{entries}</Blobs><NextMarker>{}</NextMarker></EnumerationResults>",
                marker.unwrap_or_default()
            ),
        }
    }

    fn entry(self, name: &str) -> String {
        match self {
            Self::S3 => format!("<Contents><Key>{name}</Key><Size>1</Size><ETag>\"e\"</ETag></Contents>"),
            Self::Azure => format!(
                "<Blob><Name>{name}</Name><Properties><Content-Length>1</Content-Length><Etag>0x1</Etag>\
                 <BlobType>BlockBlob</BlobType></Properties></Blob>"
            ),
        }
    }

    /// What the query of a request for the next page is called.
    fn marker(self) -> &'static str {
        match self {
            Self::S3 => "continuation-token=",
            Self::Azure => "marker=",
        }
    }

    /// Whether the request is for a page of all objects of the case's prefix.
    fn is_page(self, request: &Received) -> bool {
        let listing = match self {
            Self::S3 => request.target.contains("list-type=2"),
            Self::Azure => {
                request.target.contains("comp=list") && request.target.contains("restype=container")
            }
        };
        let of_something_else = ["uncommittedblobs", "include=snapshots"];
        listing
            && request.target.contains("prefix=p%2F")
            && !of_something_else.iter().any(|what| request.target.contains(what))
    }

    fn variables(self, home: Home, url: &str) -> Home {
        match self {
            Self::S3 => home
                .variable("AWS_ENDPOINT_URL_S3", url)
                .variable("AWS_ACCESS_KEY_ID", "id")
                .variable("AWS_SECRET_ACCESS_KEY", "hush-hush")
                .variable("AWS_REGION", "us-east-1"),
            Self::Azure => home.variable(
                "AZURE_STORAGE_CONNECTION_STRING",
                &format!("AccountName=acc;AccountKey=aHVzaC1odXNo;BlobEndpoint={url}/acc"),
            ),
        }
    }

    fn source(self) -> &'static str {
        match self {
            Self::S3 => "s3://bucket/p/",
            Self::Azure => "az://bucket/p/",
        }
    }
}

/// The marker of a request for a page, empty for the first.
fn marker_of(cloud: Cloud, request: &Received) -> &str {
    let found = request.target.split(['?', '&']).find_map(|pair| pair.strip_prefix(cloud.marker()));
    found.unwrap_or_default()
}

/// Migrates from a server that answers requests for pages like this, and all others as an honest one with objects of
/// one byte.
fn migrate(cloud: Cloud, pages: impl Fn(&str) -> Answer + Clone + Send + 'static) -> (Home, Run) {
    migrate_within(REQUESTS, cloud, pages)
}

fn migrate_within(
    requests: usize,
    cloud: Cloud,
    pages: impl Fn(&str) -> Answer + Clone + Send + 'static,
) -> (Home, Run) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let server = runtime.block_on(ReplyQueue::start()).unwrap();
    for _ in 0..requests {
        let pages = pages.clone();
        server.push_with(move |request| {
            if cloud.is_page(request) { pages(marker_of(cloud, request)) } else { honest(cloud, request) }
        });
    }
    let home = cloud.variables(Home::new(), &server.url());
    let done = home.migrate(cloud.source(), &home.text("out"), &[]);
    assert!(server.left() > 0, "{cloud:?}: more requests than {requests}: {}", done.run);
    (home, done.run)
}

fn honest(cloud: Cloud, request: &Received) -> Answer {
    let path = request.target.split('?').next().unwrap_or_default();
    if request.target.contains("?tagging") {
        return Answer::new(404).body("<Error><Code>NoSuchTagSet</Code></Error>");
    }
    if path.split_once("/p/").is_some_and(|(_, name)| name.len() == 1) {
        let object = Answer::new(200).header("etag", if cloud == Cloud::S3 { "\"e\"" } else { "\"0x1\"" });
        return object.header("x-ms-blob-type", "BlockBlob").body("x");
    }
    if request.target.contains("/p/") || request.target.contains("/.cabotage") {
        return Answer::new(404)
            .header("x-ms-error-code", "BlobNotFound")
            .body("<Error><Code>NoSuchKey</Code></Error>");
    }
    Answer::new(200).body(cloud.page(&[], None))
}

fn xml(text: impl Into<String>) -> Answer {
    Answer::new(200).header("content-type", "application/xml").body(text.into())
}

/// The run stopped, and says why.
#[track_caller]
fn stopped(cloud: Cloud, case: &str, run: &Run, why: &str) {
    assert_eq!(run.code, Some(1), "{cloud:?}, {case}: {run}");
    assert!(run.all().contains(why), "{cloud:?}, {case}: wanted {why:?} in: {run}");
}

/// The server of these cases is good enough for a migration.
fn honest_listings_are_moved() {
    for cloud in CLOUDS {
        let pages = move |marker: &str| match marker {
            "" => xml(cloud.page(&["p/a", "p/b"], Some("m1"))),
            "m1" => xml(cloud.page(&[], Some("m2"))),
            _ => xml(cloud.page(&["p/c"], None)),
        };
        let (home, run) = migrate(cloud, pages);
        let run = run.expect(0);
        let found = acceptance::read_tree(&home.path("out"));
        assert_eq!(found.keys().collect::<Vec<_>>(), ["a", "b", "c"], "{cloud:?}: {run}");
    }
}

fn names_that_lie() {
    let cases: [(&str, [&'static [&'static str]; 2], &str); 6] = [
        ("outside of the prefix", [&["p/a", "q/b"], &[]], "outside"),
        ("outside on the second page", [&["p/a"], &["p"]], "outside"),
        ("twice", [&["p/a", "p/a"], &[]], "twice"),
        ("twice, on two pages", [&["p/a", "p/b"], &["p/b", "p/c"]], "twice"),
        ("backwards", [&["p/b", "p/a"], &[]], "backwards"),
        ("backwards on the second page", [&["p/b"], &["p/a"]], "backwards"),
    ];
    for cloud in CLOUDS {
        for (case, [first, second], why) in cases {
            let pages = move |marker: &str| match marker {
                "" => xml(cloud.page(first, Some("m"))),
                _ => xml(cloud.page(second, None)),
            };
            let (home, run) = migrate(cloud, pages);
            stopped(cloud, case, &run, why);
            assert!(!home.path("b").exists() && !home.path("q").exists(), "{cloud:?}, {case}: {run}");
        }
    }
}

fn markers_that_lie() {
    for cloud in CLOUDS {
        let same = move |_: &str| xml(cloud.page(&["p/a"], Some("m")));
        stopped(cloud, "the first page for ever", &migrate(cloud, same).1, "the same page");
        let empty = move |_: &str| xml(cloud.page(&[], Some("m")));
        stopped(cloud, "an empty page for ever", &migrate(cloud, empty).1, "the same page");
        let circle = move |marker: &str| match marker {
            "m1" => xml(cloud.page(&["p/b"], Some("m2"))),
            "m2" => xml(cloud.page(&["p/c"], Some("m1"))),
            _ => xml(cloud.page(&["p/a"], Some("m1"))),
        };
        stopped(cloud, "in a circle", &migrate(cloud, circle).1, "listing");
        let empty_circle =
            move |marker: &str| xml(cloud.page(&[], Some(if marker == "m1" { "m2" } else { "m1" })));
        stopped(cloud, "in a circle of empty pages", &migrate(cloud, empty_circle).1, "the same page");
    }
    let lost = |_: &str| xml("<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>");
    stopped(Cloud::S3, "no marker", &migrate(Cloud::S3, lost).1, "how to go on");
}

/// A marker that never came before, and never anything else. A few such pages are honest.
fn pages_of_nothing_without_an_end() {
    let most = cabotage_core::PageGuard::EMPTY_MAX;
    for cloud in CLOUDS {
        let next = |marker: &str| marker.trim_start_matches('m').parse().unwrap_or(0) + 1;
        let few = move |marker: &str| match next(marker) {
            page @ 1..30 => xml(cloud.page(&[], Some(&format!("m{page}")))),
            _ => xml(cloud.page(&["p/a"], None)),
        };
        let (home, run) = migrate(cloud, few);
        let run = run.expect(0);
        assert!(home.path("out/a").exists(), "{cloud:?}: {run}");
        let endless = move |marker: &str| xml(cloud.page(&[], Some(&format!("m{}", next(marker)))));
        let (_, run) = migrate_within(most as usize + REQUESTS, cloud, endless);
        stopped(cloud, "pages of nothing", &run, "10000 pages in a row that hold nothing");
    }
}

fn documents_that_are_none() {
    for cloud in CLOUDS {
        let whole = cloud.page(&["p/a", "p/b"], None);
        let deep = format!("{}{}", "<a>".repeat(200), "</a>".repeat(200));
        let dtd = format!("<!DOCTYPE x [<!ENTITY e \"p/evil\">]>{whole}");
        let external = format!("<!DOCTYPE x SYSTEM \"http://127.0.0.1:1/x.dtd\">{whole}");
        let cases = [
            ("cut short", whole[..whole.len() / 2].to_owned(), "XML"),
            ("without its end", whole[..whole.len() - 3].to_owned(), "XML"),
            ("empty", String::new(), "XML"),
            ("nested too deep", whole.replace("p/a", &deep), "nested too deep"),
            ("a DTD", dtd, if cloud == Cloud::S3 { "DTD" } else { "document type" }),
            ("a DTD elsewhere", external, if cloud == Cloud::S3 { "DTD" } else { "document type" }),
            ("an entity", whole.replace("p/a", "p/&evil;"), "XML"),
            ("crossed elements", whole.replace("</Blobs>", "</Blob>").replace("</Key>", "</Kay>"), "XML"),
            ("another document", "<html>busy</html>".to_owned(), "listing"),
            ("a size that is none", whole.replace(">1</", ">-1</"), "XML"),
        ];
        for (case, text, why) in cases {
            let (home, run) = migrate(cloud, move |_| xml(text.clone()));
            stopped(cloud, case, &run, why);
            assert!(!home.path("out/evil").exists(), "{cloud:?}, {case}");
        }
        let (_, run) = migrate(cloud, |_| Answer::new(200).body(&b"<a>\xff</a>"[..]));
        stopped(cloud, "no UTF-8", &run, "UTF-8");
    }
}

fn documents_that_never_end() {
    for (cloud, most) in [(Cloud::S3, 16 << 20), (Cloud::Azure, 96 << 20)] {
        let declared = move |_: &str| xml(cloud.page(&[], None)).declared(most + 1);
        stopped(cloud, "declared too long", &migrate(cloud, declared).1, "longer than");
        let filler = usize::try_from(most).unwrap();
        let head = "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n<a>";
        let long = bytes::Bytes::from([head.as_bytes(), &vec![b'x'; filler]].concat());
        let endless = move |_: &str| Answer::raw(long.clone());
        stopped(cloud, "too long", &migrate(cloud, endless).1, "longer than");
        let page = cloud.page(&["p/a"], None);
        let broken = move |_: &str| xml(page.clone()).cut_after(40);
        let (_, run) = migrate(cloud, broken);
        assert_eq!(run.code, Some(1), "{cloud:?}, cut on the way: {run}");
    }
}
