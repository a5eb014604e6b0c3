//! The README and all that it leads to: the documentation, for those who have no repository.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result, bail};

/// Where reading begins.
pub(crate) const FIRST: &str = "README.md";

/// All files that links lead to from the first page, over other pages too. They are relative to the repository's folder, and
/// so are the links that go from one of them to another.
pub(crate) fn all(root: &Path) -> Result<BTreeSet<PathBuf>> {
    let first = PathBuf::from(FIRST);
    let mut found = BTreeSet::from([first.clone()]);
    let mut open = vec![first];
    while let Some(page) = open.pop() {
        let text = fs::read_to_string(root.join(&page))
            .with_context(|| format!("cannot read {}", page.display()))?;
        for link in links(&text) {
            let Some(to) = resolved(&page, link).filter(|to| root.join(to).is_file()) else {
                bail!("{} has a link to {link}, which is no file", page.display());
            };
            if found.insert(to.clone()) && to.extension() == Some("md".as_ref()) {
                open.push(to);
            }
        }
    }
    Ok(found)
}

/// What a page's links name, but for its own parts and for what is elsewhere.
fn links(page: &str) -> impl Iterator<Item = &str> {
    let targets = page.split("](").skip(1);
    targets
        .filter_map(|rest| rest.split([')', '#']).next())
        .filter(|link| !link.is_empty() && !link.contains("://"))
}

/// The file that a link of a page names, relative to where the page's name is. `None` if that is outside.
fn resolved(page: &Path, link: &str) -> Option<PathBuf> {
    let mut to = page.parent()?.to_owned();
    for part in Path::new(link).components() {
        match part {
            Component::Normal(name) => to.push(name),
            Component::CurDir => {}
            Component::ParentDir => {
                if !to.pop() {
                    return None;
                }
            }
            _ => return None,
        }
    }
    Some(to)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn project(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = root.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        root
    }

    #[test]
    fn what_pages_lead_to_is_found_once_and_nothing_else() {
        let root = project(&[
            (
                "README.md",
                "[a](docs/a.md#part) [web](https://example.org/x) [part](#part)",
            ),
            (
                "docs/a.md",
                "![b](b.svg), [code](../src/lib.rs), [back](../README.md)",
            ),
            ("docs/b.svg", "picture"),
            ("src/lib.rs", "//! [no page](nowhere)"),
            ("docs/alone.md", ""),
        ]);
        let found = all(root.path()).unwrap();
        let found: Vec<_> = found.iter().map(|path| path.to_str().unwrap()).collect();
        assert_eq!(
            found,
            ["README.md", "docs/a.md", "docs/b.svg", "src/lib.rs"]
        );
    }

    #[test]
    fn a_link_to_nothing_is_an_error_that_names_its_page() {
        for link in ["b.md", "../../secret", "/etc/passwd"] {
            let page = format!("[it]({link})");
            let root = project(&[("README.md", "[a](docs/a.md)"), ("docs/a.md", &page)]);
            assert_eq!(
                all(root.path()).unwrap_err().to_string(),
                format!("docs/a.md has a link to {link}, which is no file")
            );
        }
    }
}
