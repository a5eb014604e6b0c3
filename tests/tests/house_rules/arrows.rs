//! The modules of the host import those below them only.

use std::collections::{BTreeMap, BTreeSet};

use crate::source::{Source, Token, Tree};

const ROOT: &str = "host/src/";

/// From below to above. Modules of one row do not know each other. A module that is not listed may
/// be used by all, and counts as part of each module that uses it.
const ORDER: &[&[&str]] = &[
    &["key_generator", "secrets", "serializer"],
    &["loader", "manifest", "slot"],
    &["registry"],
    &["records"],
    &["region", "assemble"],
    &["reload"],
    &["mend"],
    &["inner"],
    &["admin", "decorator"],
    &["host"],
];

pub(crate) fn problems(tree: &Tree) -> Vec<String> {
    let imports = imports(tree);
    let listed = imports
        .keys()
        .filter_map(|module| Some((module.as_str(), row(module)?)));
    let mut problems = Vec::new();
    for (module, own_row) in listed {
        for path in paths(&imports, module) {
            let end = path.last().expect("a path has an end");
            if row(end).is_some_and(|row| row >= own_row) {
                problems.push(format!(
                    "host: {}: against the order of modules",
                    path.join(" -> ")
                ));
            }
        }
    }
    problems
}

fn row(module: &str) -> Option<usize> {
    ORDER.iter().position(|row| row.contains(&module))
}

/// The shortest ways from a module to each listed one, through modules that are not listed.
fn paths<'a>(
    imports: &'a BTreeMap<String, BTreeSet<String>>,
    module: &'a str,
) -> Vec<Vec<&'a str>> {
    let mut found = Vec::new();
    let mut seen = BTreeSet::from([module]);
    let mut next = std::collections::VecDeque::from([vec![module]]);
    while let Some(path) = next.pop_front() {
        let end = path.last().expect("a path has an end");
        for import in imports.get(*end).into_iter().flatten() {
            if seen.insert(import) {
                let longer = [path.clone(), vec![import]].concat();
                if row(import).is_some() {
                    found.push(longer);
                } else {
                    next.push_back(longer);
                }
            }
        }
    }
    found
}

/// What each module of the crate imports of the others.
fn imports(tree: &Tree) -> BTreeMap<String, BTreeSet<String>> {
    let mut imports: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let files = || {
        tree.sources
            .iter()
            .filter_map(|source| Some((source, module(source)?)))
    };
    let modules: BTreeSet<&str> = files().map(|(_, path)| path[0]).collect();
    let lib = tree
        .sources
        .iter()
        .find(|source| source.path == format!("{ROOT}lib.rs"));
    let exported = lib.map(re_exports).unwrap_or_default();
    for (source, path) in files() {
        let own = imports.entry(path[0].to_owned()).or_default();
        for name in names_of_the_root(&source.tokens(), path.len()) {
            let home = if modules.contains(name) {
                Some(name)
            } else {
                exported.get(name).copied()
            };
            own.extend(home.filter(|home| *home != path[0]).map(String::from));
        }
    }
    imports
}

/// The path of a source's module from the crate's root; `None` for the root and for other crates.
fn module(source: &Source) -> Option<Vec<&str>> {
    let path = source.path.strip_prefix(ROOT)?.strip_suffix(".rs")?;
    let parts: Vec<_> = path.split('/').filter(|part| *part != "mod").collect();
    (parts != ["lib"]).then_some(parts)
}

/// Names which `lib.rs` lifts out of a module, with that module.
fn re_exports(lib: &Source) -> BTreeMap<&str, &str> {
    let tokens = lib.tokens();
    let mut exported = BTreeMap::new();
    for statement in tokens.split(|token| token.text == ";") {
        let Some(start) = statement.iter().position(|token| token.text == "use") else {
            continue;
        };
        let mut words = statement[start + 1..]
            .iter()
            .map(|token| token.text)
            .filter(|text| text.starts_with(char::is_alphabetic))
            .filter(|text| !matches!(*text, "crate" | "self" | "as"));
        if let Some(module) = words.next() {
            exported.extend(words.map(|name| (name, module)));
        }
    }
    exported
}

/// Names that are reached from the crate's root by `crate::` or by as many `super::` as the module
/// is deep.
fn names_of_the_root<'a>(tokens: &[Token<'a>], depth: usize) -> Vec<&'a str> {
    let mut names = Vec::new();
    let mut supers = 0;
    for (at, token) in tokens.iter().enumerate() {
        let follows = tokens.get(at + 1).is_some_and(|next| next.text == "::");
        supers = match token.text {
            "super" => supers + 1,
            "::" => supers,
            _ => 0,
        };
        let at_root = token.text == "crate" || (token.text == "super" && supers >= depth);
        if follows && at_root {
            names.extend(first_names(&tokens[at + 2..]));
        }
    }
    names
}

/// The name that comes next, or those of a group in braces, each without what follows it.
fn first_names<'a>(tokens: &[Token<'a>]) -> Vec<&'a str> {
    let mut names = Vec::new();
    let mut depth = 0_usize;
    let mut expected = true;
    for token in tokens {
        match token.text {
            "{" => depth += 1,
            "}" => depth = depth.saturating_sub(1),
            "," if depth == 1 => expected = true,
            name if expected => {
                names.push(name);
                expected = false;
            }
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    names
}

mod tests {
    use super::*;
    use crate::source::tree;

    fn found(files: &[(&str, &str)]) -> Vec<String> {
        let all = [
            "loader", "slot", "registry", "region", "reload", "error", "plugins",
        ];
        let all: Vec<_> = all
            .iter()
            .map(|name| format!("{ROOT}{name}/mod.rs"))
            .collect();
        let empty = all.iter().map(|path| (path.as_str(), ""));
        problems(&tree(
            &empty.chain(files.iter().copied()).collect::<Vec<_>>(),
        ))
    }

    fn against(path: &str) -> String {
        format!("host: {path}: against the order of modules")
    }

    #[test]
    fn imports_of_modules_below_are_fine() {
        let files = [
            (
                "host/src/reload/apply.rs",
                "use crate::{registry::A, region::{B, C}};",
            ),
            (
                "host/src/registry.rs",
                "use super::loader::A; fn a() { crate::slot::b() }",
            ),
            (
                "host/src/loader/elf.rs",
                "use crate::error::A; use super::seal::B;",
            ),
            ("host/src/error.rs", "// crate::reload"),
        ];
        assert_eq!(found(&files), Vec::<String>::new());
    }

    #[test]
    fn imports_of_modules_above_or_beside_are_found_in_every_spelling() {
        for import in [
            "use crate::region::A;",
            "use crate::{error::{B, C}, region::A};",
            "use super::super::region;",
            "fn a() -> crate::region::A {}",
            "use crate::{\n    region,\n};",
        ] {
            let found = found(&[("host/src/loader/elf.rs", import)]);
            assert_eq!(found, [against("loader -> region")], "{import}");
        }
        let found = found(&[("host/src/region/a.rs", "use crate::reload::A;")]);
        assert_eq!(found, [against("region -> reload")]);
    }

    #[test]
    fn an_import_by_way_of_a_module_that_is_not_listed_is_found() {
        let found = found(&[
            ("host/src/loader/elf.rs", "use crate::plugins::A;"),
            ("host/src/plugins/a.rs", "use crate::registry::A;"),
        ]);
        assert_eq!(found, [against("loader -> plugins -> registry")]);
    }

    #[test]
    fn an_import_by_way_of_a_name_that_the_root_exports_is_found() {
        let found = found(&[
            (
                "host/src/lib.rs",
                "mod region; pub use crate::region::{Region, entry::Entry};",
            ),
            ("host/src/loader/elf.rs", "use crate::Entry;"),
        ]);
        assert_eq!(found, [against("loader -> region")]);
    }
}
