//! Folders of small files, and their digests.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use sha2::{Digest as _, Sha256};

/// Relative names with `/`, each with the SHA-256 of its file in hexadecimal.
pub type Tree = BTreeMap<String, String>;

/// SHA-256 in lower-case hexadecimal.
#[must_use]
pub fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// The files under a folder. Links and special files are not followed.
///
/// # Panics
/// When the folder can't be read, or a name is no UTF-8.
#[must_use]
pub fn read_tree(root: &Path) -> Tree {
    let mut tree = Tree::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("the folder is readable") {
            let entry = entry.expect("the folder is readable");
            let kind = entry.file_type().expect("the entry has a type");
            if kind.is_dir() {
                folders.push(entry.path());
            } else if kind.is_file() {
                let path = entry.path();
                let name =
                    path.strip_prefix(root).expect("it is beneath").to_str().expect("UTF-8").to_owned();
                tree.insert(name, sha256(&fs::read(&path).expect("the file is readable")));
            }
        }
    }
    tree
}

/// Writes so many files of varied sizes (empty ones too) and names in nested folders; the same for the same seed.
///
/// # Panics
/// When the folder can't be written.
pub fn generate(root: &Path, count: usize, seed: u64) -> Tree {
    let mut random = StdRng::seed_from_u64(seed);
    let words =
        ["data", "a b", "caf\u{e9}", "plus+", "50%", "x#y", "q?", "\u{1F600}", "UPPER", "upper", "dot.d"];
    let mut tree = Tree::new();
    for i in 0..count {
        let depth = random.random_range(0..4);
        let mut name = String::new();
        for _ in 0..depth {
            name.push_str(words[random.random_range(0..words.len())]);
            name.push('/');
        }
        name.push_str(&format!("{}-{i:05}.bin", words[random.random_range(0..words.len())]));
        let size = if i % 17 == 0 { 0 } else { random.random_range(1..6_000) };
        let mut content = vec![0_u8; size];
        random.fill(content.as_mut_slice());
        let path = root.join(&name);
        fs::create_dir_all(path.parent().expect("it has a folder")).expect("the folder is writable");
        fs::write(&path, &content).expect("the folder is writable");
        tree.insert(name, sha256(&content));
    }
    tree
}
