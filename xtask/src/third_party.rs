//! The licences of the crates that are in what we ship: their texts must go with it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::workspace::Workspace;
use crate::{dist, files, licence, run};

/// What is in the names of files that say under what something may be used.
const FILES: [&str; 5] = ["LICENSE", "LICENCE", "COPYING", "NOTICE", "COPYRIGHT"];

/// Licences whose text need not go with what is built of the code.
const WITHOUT_TEXT: [&str; 4] = ["Zlib", "BSL-1.0", "CC0-1.0", "0BSD"];

/// A crate of somebody else's.
struct Crate {
    title: String,
    licence: String,
    folder: PathBuf,
}

/// All crates that the command and the plugins are made of, and what each says of its licence. A text that several have
/// is there once.
pub(crate) fn text(workspace: &Workspace) -> Result<String> {
    let mut linked = BTreeSet::new();
    // As they are built: features which the command asks of a crate are not the plugins'.
    for packages in [vec![dist::COMMAND.to_owned()], workspace.plugins()] {
        let mut cargo = run::cargo(&workspace.root);
        cargo.args(["tree", "--locked", "--edges=normal,no-proc-macro"]);
        cargo.args(["--prefix=none", "--format={p}"]);
        cargo.args(packages.iter().flat_map(|package| ["-p", package]));
        linked.extend(titles(&String::from_utf8(run::output(&mut cargo)?)?));
    }
    written(&crates(&workspace.others()?, &linked)?)
}

/// What the Rust library says of its own licences; it is in everything that is built with it.
pub(crate) fn of_rust() -> Result<PathBuf> {
    let told = run::output(Command::new("rustc").args(["--print", "sysroot"]))?;
    let sysroot = PathBuf::from(String::from_utf8(told)?.trim_end());
    Ok(sysroot.join("share/doc/rust/COPYRIGHT-library.html"))
}

/// Of lines such as `memchr v2.8.3 (*)`, the names and versions; of ours, which have a folder behind that, none.
fn titles(tree: &str) -> impl Iterator<Item = String> {
    let others = tree.lines().filter(|line| !line.contains(" (/"));
    others.filter_map(|line| {
        let (name, rest) = line.split_once(" v")?;
        Some(format!("{name} {}", rest.split(' ').next()?))
    })
}

/// Those of them that are linked, in the order of their names.
fn crates(others: &[Value], linked: &BTreeSet<String>) -> Result<Vec<Crate>> {
    let crates: Result<Vec<Crate>> = others.iter().map(Crate::read).collect();
    let mut crates = crates?;
    crates.retain(|other| linked.contains(&other.title));
    if let Some(missing) = linked
        .iter()
        .find(|title| !crates.iter().any(|one| one.title == **title))
    {
        bail!(
            "cargo metadata has no {missing}, which is shipped: nothing says what its licence is"
        );
    }
    crates.sort_by(|one, other| one.title.cmp(&other.title));
    Ok(crates)
}

impl Crate {
    fn read(package: &Value) -> Result<Self> {
        let text = |key: &str| package[key].as_str().unwrap_or_default().to_owned();
        let manifest = PathBuf::from(text("manifest_path"));
        let folder = manifest.parent().context("a manifest without a folder")?;
        let (declared, file) = (text("license"), text("license_file"));
        Ok(Self {
            title: format!("{} {}", text("name"), text("version")),
            licence: if declared.is_empty() { file } else { declared },
            folder: folder.to_owned(),
        })
    }

    /// What its files say of its licence, and of those of what it has taken from others.
    fn texts(&self) -> Result<Vec<String>> {
        let files = files::under(&self.folder)?;
        let files = files.iter().filter(|path| is_licence(path));
        let texts: Result<Vec<String>> = files
            .map(|path| {
                let path = self.folder.join(path);
                let text = fs::read(&path).with_context(|| path.display().to_string())?;
                Ok(String::from_utf8_lossy(&text).trim_end().to_owned())
            })
            .collect();
        let texts = texts?;
        let needs_none = |licence: &str| WITHOUT_TEXT.contains(&licence);
        if texts.is_empty() && licence::permits(&self.licence, &needs_none) != Ok(true) {
            let Self { title, licence, .. } = self;
            bail!("{title} is shipped, and has no text of its licence {licence}");
        }
        Ok(texts)
    }
}

fn is_licence(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let name = name.to_uppercase();
    FILES.iter().any(|word| name.contains(word))
}

fn written(crates: &[Crate]) -> Result<String> {
    let mut texts: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    let mut out = "\
The command and the plugins of dogpile hold these crates, unchanged, each under the licence beside it, whose texts follow.
The source of each is at https://crates.io/crates/NAME/VERSION. RUST-LICENCES.html has the licences of Rust's own library.
\n"
    .to_owned();
    for other in crates {
        writeln!(out, "{}: {}", other.title, other.licence)?;
        for text in other.texts()? {
            texts.entry(text).or_default().insert(&other.title);
        }
    }
    for (text, of) in &texts {
        let of: Vec<&str> = of.iter().copied().collect();
        write!(out, "\n{}\n{}\n\n{text}\n", "-".repeat(80), of.join(", "))?;
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn used(folder: &Path, licence: &str) -> Crate {
        let manifest = folder.join("Cargo.toml");
        let package = json!({"name": "used", "version": "1.0.0", "license": licence, "manifest_path": manifest});
        Crate::read(&package).unwrap()
    }

    #[test]
    fn crates_of_others_in_what_is_shipped_are_told_and_no_others() {
        let tree = "ours v0.1.0 (/ours)\nused v1.0.0\nused v1.0.0 (*)\n\nbeneath v2.0.0\n";
        let package = |name: &str, version: &str| {
            let manifest = format!("/{name}/Cargo.toml");
            json!({"name": name, "version": version, "license": "MIT", "manifest_path": manifest})
        };
        let others = [
            package("used", "1.0.0"),
            package("used", "2.0.0"),
            package("tested", "1.0.0"),
            package("beneath", "2.0.0"),
        ];
        let crates = crates(&others, &titles(tree).collect()).unwrap();
        let titles: Vec<&str> = crates.iter().map(|one| &*one.title).collect();
        assert_eq!(titles, ["beneath 2.0.0", "used 1.0.0"]);
        let unknown = ["unknown 1.0.0".to_owned()].into();
        assert!(super::crates(&others, &unknown).is_err());
    }

    #[test]
    fn a_text_that_two_have_is_there_once_and_names_both() {
        let folder = tempfile::tempdir().unwrap();
        let folders = ["used", "beneath"].map(|name| folder.path().join(name));
        for folder in &folders {
            fs::create_dir_all(folder.join("taken/from")).unwrap();
            fs::write(folder.join("MIT_license"), "You may.\n").unwrap();
        }
        fs::write(folders[0].join("taken/from/NOTICE.md"), "Thanks.").unwrap();
        fs::write(folders[0].join("lib.rs"), "code").unwrap();
        let [one, mut other] = folders.each_ref().map(|folder| used(folder, "MIT"));
        other.title = "beneath 1.0.0".to_owned();
        let text = written(&[other, one]).unwrap();
        assert!(
            text.contains("beneath 1.0.0: MIT\nused 1.0.0: MIT\n"),
            "{text}"
        );
        assert!(
            text.contains("\nbeneath 1.0.0, used 1.0.0\n\nYou may.\n"),
            "{text}"
        );
        assert!(text.contains("\nused 1.0.0\n\nThanks.\n"), "{text}");
        assert_eq!(
            (
                text.matches("You may.").count(),
                text.matches("code").count()
            ),
            (1, 0)
        );
    }

    #[test]
    fn a_text_that_must_go_with_a_crate_and_is_not_in_it_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let error = written(&[used(folder.path(), "MIT")]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "used 1.0.0 is shipped, and has no text of its licence MIT"
        );
        written(&[used(folder.path(), "MIT OR Zlib")]).unwrap();
    }
}
