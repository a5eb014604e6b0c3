//! Where this machine has the sources: what is given away names none of it, and is the same wherever it was built.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::workspace::Workspace;

/// The flags of the compiler that the user has set, in the environment or in a configuration of cargo, and behind them those
/// that give other names to our places in messages: as `CARGO_ENCODED_RUSTFLAGS` has them.
pub(crate) fn hidden(workspace: &Workspace) -> Result<String> {
    appended(env!("RUSTFLAGS_OF_CARGO"), &places(workspace)?)
}

/// Of the names that fit a path, the compiler gives it the last.
fn appended(given: &str, places: &[(PathBuf, &str)]) -> Result<String> {
    let mut flags: Vec<String> = Vec::new();
    flags.extend((!given.is_empty()).then(|| given.to_owned()));
    for (place, name) in places {
        let place = place.to_str().context("a path is not UTF-8")?;
        flags.push(format!("--remap-path-prefix={place}={name}"));
    }
    Ok(flags.join("\u{1f}"))
}

/// An error if one of the files names such a place. One as short as `/src`, which other names have in them, is not looked for.
pub(crate) fn check(workspace: &Workspace, files: &[PathBuf]) -> Result<()> {
    let mut places = places(workspace)?;
    places.retain(|(place, _)| place.components().count() > 2);
    for file in files {
        let contents = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
        let mut named = places
            .iter()
            .filter_map(|(place, _)| naming(&contents, place));
        if let Some(named) = named.next() {
            bail!("{} names a place of this machine: {named}", file.display());
        }
    }
    Ok(())
}

/// Where this machine has the sources, those that are made as they are built among them, and what each place is called in
/// what is given away. The later ones may lie in those before them.
fn places(workspace: &Workspace) -> Result<Vec<(PathBuf, &'static str)>> {
    let mut places = vec![
        (workspace.root.clone(), "dogpile"),
        (workspace.target.clone(), "dogpile/target"),
        (workspace.intermediate.clone(), "dogpile/target"),
    ];
    places.dedup();
    places.extend(
        others(workspace)?
            .into_iter()
            .map(|place| (place, "crates")),
    );
    Ok(places)
}

/// The folders in which the crates of others lie, each in one of its own.
fn others(workspace: &Workspace) -> Result<BTreeSet<PathBuf>> {
    let others = workspace.others()?;
    let manifests = others
        .iter()
        .filter_map(|package| package["manifest_path"].as_str());
    let folders = manifests.filter_map(|path| Path::new(path).ancestors().nth(2));
    Ok(folders.map(PathBuf::from).collect())
}

/// The first thing in `contents` that begins with the place.
fn naming(contents: &[u8], place: &Path) -> Option<String> {
    let start = format!("{}/", place.display());
    let mut windows = contents.windows(start.len());
    let at = windows.position(|window| window == start.as_bytes())?;
    let rest = &contents[at..];
    let end = rest.iter().position(|byte| !byte.is_ascii_graphic());
    let text = &rest[..end.unwrap_or(rest.len()).min(200)];
    Some(String::from_utf8_lossy(text).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run;

    #[test]
    fn a_place_that_is_named_is_told_with_what_follows() {
        let contents = b"\0/home/me/crates-2/a.rs\0at /home/me/crates/b/src/lib.rs\0";
        assert_eq!(
            naming(contents, Path::new("/home/me/crates")).as_deref(),
            Some("/home/me/crates/b/src/lib.rs")
        );
        assert_eq!(naming(contents, Path::new("/home/you")), None);
    }

    fn built_elsewhere() -> Workspace {
        let mut cargo = run::cargo(&Workspace::find().unwrap().root);
        cargo.env("CARGO_TARGET_DIR", "/built/else/where");
        cargo.env("CARGO_BUILD_BUILD_DIR", "/made/on/the/way");
        Workspace::ask(cargo).unwrap()
    }

    #[test]
    fn the_sources_of_this_tree_and_of_others_crates_get_other_names() {
        let workspace = built_elsewhere();
        let flags = hidden(&workspace).unwrap();
        let root = workspace.root.display();
        for flag in [
            &*format!("--remap-path-prefix={root}=dogpile\u{1f}"),
            "--remap-path-prefix=/built/else/where=dogpile/target\u{1f}",
            "--remap-path-prefix=/made/on/the/way=dogpile/target\u{1f}",
        ] {
            assert!(flags.contains(flag), "{flags}");
        }
        assert!(flags.ends_with("=crates"), "{flags}");
    }

    #[test]
    fn a_file_that_names_where_it_was_built_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("dogpile");
        let workspace = built_elsewhere();
        for (path, is_ours) in [
            (workspace.root.join("host/src/lib.rs"), true),
            ("/built/else/where/release/build/a/out/b.rs".into(), true),
            ("/made/on/the/way/a/out/b.rs".into(), true),
            ("/built/else/b.rs".into(), false),
        ] {
            let path = path.display();
            fs::write(&file, format!("\0at {path}\0")).unwrap();
            let told = check(&workspace, std::slice::from_ref(&file));
            assert_eq!(told.is_err(), is_ours, "{path}");
            let expected = format!("dogpile names a place of this machine: {path}");
            assert!(
                told.err()
                    .is_none_or(|told| told.to_string().ends_with(&expected))
            );
        }
    }

    #[test]
    fn flags_of_the_user_stay_before_ours() {
        let places = [("/my tree".into(), "dogpile")];
        let ours = "--remap-path-prefix=/my tree=dogpile";
        assert_eq!(appended("", &places).unwrap(), ours);
        let given = "-C\u{1f}opt-level=1";
        assert_eq!(
            appended(given, &places).unwrap(),
            format!("{given}\u{1f}{ours}")
        );
    }

    /// Of a crate with our build script, which prints what it learns of cargo.
    #[test]
    fn flags_are_known_wherever_cargo_has_them_from() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        file("build.rs", include_str!("../build.rs"));
        file(
            "Cargo.toml",
            "[package]\nname = \"prints\"\nedition = \"2024\"\n[workspace]\n",
        );
        file(
            "src/main.rs",
            "fn main() { print!(\"{}\", env!(\"RUSTFLAGS_OF_CARGO\")); }\n",
        );
        let printed = |name: &str, value: &str| {
            let mut cargo = run::cargo(folder.path());
            cargo.args(["run", "--quiet", "--target-dir", "target"]);
            cargo
                .env_remove("RUSTFLAGS")
                .env_remove("CARGO_ENCODED_RUSTFLAGS");
            String::from_utf8(run::output(cargo.env(name, value)).unwrap()).unwrap()
        };
        assert_eq!(
            printed("RUSTFLAGS", "-C opt-level=1"),
            "-C\u{1f}opt-level=1"
        );
        let encoded = "--cfg\u{1f}a=\"b c\"";
        assert_eq!(printed("CARGO_ENCODED_RUSTFLAGS", encoded), encoded);
        file(
            ".cargo/config.toml",
            "build.rustflags = [\"-Copt-level=2\"]\n",
        );
        assert_eq!(printed("NO_COLOR", "1"), "-Copt-level=2");
        file(
            ".cargo/config.toml",
            "target.'cfg(unix)'.rustflags = [\"-Copt-level=3\"]\n",
        );
        assert_eq!(printed("NO_COLOR", "1"), "-Copt-level=3");
    }
}
