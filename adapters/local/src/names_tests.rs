use std::collections::HashMap;

use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, SeedableRng as _};

use super::*;

fn plain(key: &str) -> String {
    let names = Names::of(&Key::new(key).unwrap());
    let folders = names.folders.iter().flat_map(|forms| forms.plain.iter());
    folders.chain(&names.file.plain).cloned().collect::<Vec<_>>().join("/")
}

/// Reads a path back as a listing does; `None` for what is no form of a key.
fn key_of(path: &[String]) -> Option<String> {
    let (mut key, mut pieces, mut text, mut top) = (String::new(), Vec::new(), String::new(), true);
    for (at, name) in path.iter().enumerate() {
        let (piece, mark) = parse(name)?;
        let last = at + 1 == path.len();
        text.push_str(&piece);
        pieces.push(name.clone());
        if mark == Mark::More {
            continue;
        }
        let fits = if last { mark != Mark::Dir } else { mark != Mark::File };
        if !fits || names(&text, top, mark) != pieces {
            return None;
        }
        key.push_str(&text);
        if last {
            return Some(key);
        }
        key.push('/');
        (pieces, text, top) = (Vec::new(), String::new(), false);
    }
    None
}

#[test]
fn table() {
    let long = "x".repeat(300);
    for (key, path) in [
        ("a/b.txt", "a/b.txt"),
        ("a b+c%2F?#é😀\n.txt", "a b+c%2F?#é😀\n.txt"),
        ("a//b", "a/~{}/b"),
        ("a/", "a/~{}"),
        ("/a", "~{}/a"),
        ("/", "~{}/~{}"),
        ("a/../c", "a/~{2e}./c"),
        ("./.../..", "~{2e}/.../~{2e}."),
        ("a\0b", "a~{00}b"),
        ("~{}", "~{7e}{}"),
        ("~~{+}", "~~{7e}{+}"),
        ("a~{dir}/b", "a~{7e}{dir}/b"),
        ("~", "~"),
        ("{~", "{~"),
        (".cabotage/tmp/x", "~{2e}cabotage/tmp/x"),
        (".Cabotage", "~{2e}Cabotage"),
        ("a/.cabotage", "a/.cabotage"),
        (".cabotage2", ".cabotage2"),
        (&"x".repeat(255), &"x".repeat(255)),
        (&long, &format!("{}~{{+}}/{}", "x".repeat(240), "x".repeat(60))),
        (&("é".repeat(130) + "/b"), &format!("{}~{{+}}/{}/b", "é".repeat(120), "é".repeat(10))),
        (
            &("x".repeat(240) + ".." + &"x".repeat(14)),
            &format!("{}~{{+}}/..{}", "x".repeat(240), "x".repeat(14)),
        ),
    ] {
        assert_eq!(plain(key), path, "{key:?}");
    }
}

#[test]
fn the_rest_of_a_cut_name_is_never_a_folder_itself() {
    let names = names(&("x".repeat(PIECE * 2) + ".."), false, Mark::Plain);
    assert_eq!(names.last().unwrap(), "~{2e}.");
}

#[test]
fn names_that_are_no_form_of_a_key() {
    for name in
        ["~{41}", "~{", "a~{x", "~{2e}a", "~{7e}a", "~{}a", "~{+}", "~{file}", "~{2E}", "~{2e}cabotagE2"]
    {
        assert_eq!(key_of(&[name.to_owned()]), None, "{name}");
    }
}

/// Keys out of pieces that are likely to meet a rule.
fn random_key(random: &mut StdRng) -> String {
    const PIECES: &[&str] = &[
        "",
        ".",
        "..",
        "/",
        "/",
        "a",
        "A",
        "b",
        "~",
        "{",
        "}",
        "~{",
        "~{}",
        "~{+}",
        "~{dir}",
        "~{file}",
        "~{2e}",
        "~{7e}",
        "\0",
        "\n",
        ".cabotage",
        "é",
        "😀",
        "\u{301}",
        " ",
        "%2F",
    ];
    let mut key = String::new();
    for _ in 0..random.random_range(1..8) {
        let piece = PIECES.choose(random).unwrap();
        let times = if random.random_ratio(1, 12) { random.random_range(60..300) } else { 1 };
        key.push_str(&piece.repeat(times));
    }
    if key.is_empty() { "k".to_owned() } else { key }
}

/// All paths that the key can have: each segment in either form.
fn every_path(names: &Names) -> Vec<Vec<String>> {
    let mut paths: Vec<Vec<String>> = vec![Vec::new()];
    for (at, forms) in names.folders.iter().chain([&names.file]).enumerate() {
        let other = if at < 3 || at == names.folders.len() { Some(&forms.other) } else { None };
        paths = paths
            .into_iter()
            .flat_map(|path| {
                [Some(&forms.plain), other]
                    .into_iter()
                    .flatten()
                    .map(move |names| path.iter().chain(names).cloned().collect())
            })
            .collect();
    }
    paths
}

#[test]
fn every_path_reads_back_and_belongs_to_one_key() {
    let mut random = StdRng::seed_from_u64(7);
    let mut owners: HashMap<Vec<String>, String> = HashMap::new();
    for _ in 0..1_200 {
        let text = random_key(&mut random);
        let names = Names::of(&Key::new(text.as_str()).unwrap());
        for path in every_path(&names) {
            for name in &path {
                assert!(!name.is_empty() && name.len() <= NAME_MAX, "{name:?}");
                assert!(name != "." && name != ".." && !name.contains(['/', '\0']), "{name:?}");
            }
            assert!(!path[0].eq_ignore_ascii_case(OWN), "{path:?}");
            assert_eq!(key_of(&path).as_deref(), Some(text.as_str()), "{path:?}");
            let owner = owners.entry(path.clone()).or_insert_with(|| text.clone());
            assert_eq!(*owner, text, "{path:?}");
        }
    }
    assert!(owners.len() > 3_000);
}
