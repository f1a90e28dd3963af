//! Prints the public items of a crate, one a line, from the JSON that rustdoc wrote of it.

use std::collections::HashSet;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let json = std::env::args_os().nth(1).ok_or("name the file that rustdoc wrote")?;
    // What every type has from the compiler and from blanket implementations says nothing of the crate.
    let api = public_api::Builder::from_rustdoc_json(json)
        .omit_blanket_impls(true)
        .omit_auto_trait_impls(true)
        .build()?;
    let of_traits: HashSet<_> =
        api.items().filter(|item| implements(&item.to_string())).map(|item| item.id()).collect();
    for item in api.items() {
        // That a trait is implemented says which functions there are.
        let told = item.parent_id().is_some_and(|parent| of_traits.contains(&parent));
        let line = item.to_string();
        if !(told && line.starts_with("pub fn ") || line.contains("StructuralPartialEq")) {
            println!("{line}");
        }
    }
    Ok(())
}

/// Whether the line says that a trait is implemented.
fn implements(line: &str) -> bool {
    line.starts_with("impl") && line.contains(" for ")
}
