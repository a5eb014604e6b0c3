//! Which names lead to a file.

use std::collections::{BTreeSet, VecDeque};
use std::ffi::OsString;
use std::fs;
use std::path::{Component, Path, PathBuf};

/// How many links on one way are followed: as many as the kernel does.
const LINKS: u8 = 40;

/// Adds every name on the way to `path`, itself included: folders, links, and what those lead to. Another entry under
/// any of them can change what `path` leads to. None of them has a link above it, so that each thing has one name.
pub(super) fn names(path: &Path, into: &mut BTreeSet<PathBuf>) {
    let Ok(path) = std::path::absolute(path) else {
        return;
    };
    let mut at = PathBuf::from("/");
    let mut ahead = steps(&path);
    let mut links = 0;
    into.insert(at.clone());
    while let Some(step) = ahead.pop_front() {
        if step == ".." {
            at.pop();
            continue;
        }
        let here = at.join(step);
        match fs::read_link(&here) {
            Ok(_) if links == LINKS => return,
            Ok(target) => {
                links += 1;
                if target.is_absolute() {
                    at = PathBuf::from("/");
                }
                let mut led = steps(&target);
                led.append(&mut ahead);
                ahead = led;
            }
            Err(_) => at.clone_from(&here),
        }
        into.insert(here);
    }
}

fn steps(path: &Path) -> VecDeque<OsString> {
    path.components()
        .filter(|step| matches!(step, Component::Normal(_) | Component::ParentDir))
        .map(|step| step.as_os_str().to_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn root() -> (tempfile::TempDir, PathBuf) {
        let root = tempfile::tempdir().unwrap();
        let path = fs::canonicalize(root.path()).unwrap();
        (root, path)
    }

    fn below(root: &Path, path: &str) -> Vec<String> {
        let mut found = BTreeSet::new();
        names(&root.join(path), &mut found);
        for above in root.ancestors() {
            assert!(found.remove(above), "no {} in {found:?}", above.display());
        }
        let name = |path: PathBuf| {
            let below = path.strip_prefix(root).unwrap();
            below.to_str().unwrap().to_owned()
        };
        found.into_iter().map(name).collect()
    }

    #[test]
    fn all_links_on_the_way_are_on_it_and_what_they_lead_to() {
        let (_root, root) = root();
        fs::create_dir_all(root.join("volume/..2026")).unwrap();
        fs::write(root.join("volume/..2026/dogpile.toml"), "").unwrap();
        symlink("..2026", root.join("volume/..data")).unwrap();
        symlink("..data/dogpile.toml", root.join("volume/dogpile.toml")).unwrap();
        fs::create_dir(root.join("etc")).unwrap();
        symlink(
            root.join("volume/dogpile.toml"),
            root.join("etc/dogpile.toml"),
        )
        .unwrap();
        assert_eq!(
            below(&root, "etc/dogpile.toml"),
            [
                "etc",
                "etc/dogpile.toml",
                "volume",
                "volume/..2026",
                "volume/..2026/dogpile.toml",
                "volume/..data",
                "volume/dogpile.toml",
            ]
        );
    }

    #[test]
    fn the_folder_above_a_folder_behind_a_link_is_where_that_lies() {
        let (_root, root) = root();
        fs::create_dir_all(root.join("far/away")).unwrap();
        symlink("far/away", root.join("near")).unwrap();
        assert_eq!(
            below(&root, "near/../dogpile.toml"),
            ["far", "far/away", "far/dogpile.toml", "near"]
        );
    }

    #[test]
    fn what_is_not_there_has_its_names_already() {
        let (_root, root) = root();
        assert_eq!(
            below(&root, "etc/conf.d/a.toml"),
            ["etc", "etc/conf.d", "etc/conf.d/a.toml"]
        );
    }

    #[test]
    fn a_circle_of_links_ends() {
        let (_root, root) = root();
        symlink("b", root.join("a")).unwrap();
        symlink("a", root.join("b")).unwrap();
        assert_eq!(below(&root, "a"), ["a", "b"]);
    }

    #[test]
    fn a_bare_name_lies_in_the_current_folder() {
        let mut found = BTreeSet::new();
        names(Path::new("no-such-manifest.toml"), &mut found);
        let here = fs::canonicalize(".").unwrap();
        assert!(found.contains(&here.join("no-such-manifest.toml")));
        assert!(found.contains(&here));
    }
}
