//! The archive of `cargo xtask package`, made of what was built for the tests: unpacked in an empty folder, it is whole, and
//! works by what its README says.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use dogpile_tests::built;
use dogpile_tests::links::dead_links;
use dogpile_tests::outside::workspace;

use crate::page::{blocks, commands};
use crate::shell;

/// What `docs/for-operators.md` says of the next release: the plugins behind a link, which then leads elsewhere. There they
/// are the same but for one byte more, behind what is read of them.
const NEXT_RELEASE: &str = r#"
```console
$ mkdir next && cp plugins/*.so next && for file in next/*.so; do echo >> $file; done
$ ln -s plugins link
$ cat > live.toml <<'END'
> version = 1
> host.plugin_dir = "link"
> plugins = { memory = {}, dbm = {} }
> regions.lost = { backend = "memory", expiration_time = "1h" }
> regions.stays = { backend = "dbm", expiration_time = "1h", arguments = { filename = "values" } }
> END
$ export DOGPILE_MANIFEST=live.toml
$ ./dogpile serve --listen 127.0.0.1:0 > next.address 2> next.log &
$ timeout 60 sh -c 'until grep -qs http next.address; do sleep 0.1; done'
$ ./dogpile set lost key '"old"' && ./dogpile set stays key '"old"'
$ ln -s next link.next && mv -T link.next link
$ timeout 60 sh -c "until ./dogpile status | grep '^generation: 2'; do sleep 0.1; done"
generation: 2, …
$ ./dogpile status | sed -n '/^last reload/,/^reloads/p'
last reload: applied at … (cause: file)
  swapped region `lost` (plugin), 1 entry is lost
  swapped region `stays` (plugin), its entries stay in the storage
reloads: 1 applied, 0 unchanged, 0 refused
$ ./dogpile get stays key
"old"
$ kill $!
```
"#;

/// Runs it to its end, which must be a good one, and returns what it printed.
fn done(command: &mut Command) -> String {
    let output = command.output().expect("it can be started");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}");
    String::from_utf8(output.stdout).expect("it prints text")
}

/// Packs into a folder of `root`, and unpacks in another one. Returns what `tar` lists, and the folder that it made.
fn unpacked(root: &Path) -> (String, PathBuf) {
    let (packed, empty) = (root.join("packed"), root.join("empty"));
    let mut package = Command::new(built("xtask", "xtask"));
    package.args(["package", "--built"]).arg(&packed);
    done(package.current_dir(workspace()));
    let entries = fs::read_dir(&packed).expect("it was made");
    let mut names = entries.map(|entry| entry.expect("it can be listed").path());
    let sums = names.find(|name| name.extension() == Some("sha256".as_ref()));
    let sums = sums.expect("the archive has a digest");
    let mut check = Command::new("sha256sum");
    check.args(["--check", "--strict"]).arg(&sums);
    done(check.current_dir(&packed));

    let archive = sums.with_extension("");
    let mut list = Command::new("tar");
    let listed = done(list.args(["--numeric-owner", "-tvf"]).arg(&archive));
    fs::create_dir(&empty).expect("it is new");
    done(
        Command::new("tar")
            .arg("-xf")
            .arg(&archive)
            .current_dir(&empty),
    );
    let mut made = fs::read_dir(&empty).expect("it is there");
    let folder = made.next().expect("there is a folder").expect("it is read");
    assert!(made.next().is_none(), "it has more than one folder");
    (listed, folder.path())
}

/// All files under a folder, relative to `root`.
fn files(root: &Path, folder: &Path) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(folder).expect("it can be listed") {
        let path = entry.expect("it can be listed").path();
        if path.is_dir() {
            found.extend(files(root, &path));
        } else {
            found.insert(path.strip_prefix(root).expect("it is there").to_owned());
        }
    }
    found
}

/// All is root's, which others may read and not write.
fn owners_and_modes(listed: &str, problems: &mut String) {
    for line in listed.lines() {
        let mut words = line.split_whitespace();
        let (mode, owner) = (words.next(), words.next());
        let good = ["drwxr-xr-x", "-rwxr-xr-x", "-rw-r--r--"];
        if owner != Some("0/0") || !mode.is_some_and(|mode| good.contains(&mode)) {
            let _ = writeln!(problems, "{line}");
        }
    }
}

/// What of the files is missing that somebody relies on, and what the digests do not know.
fn parts(folder: &Path, files: &BTreeSet<PathBuf>, problems: &mut String) {
    for name in [
        "dogpile",
        "dogpile.toml",
        "site/templates/index.html",
        "README.md",
        "LICENSE",
        "THIRD-PARTY-LICENCES",
        "RUST-LICENCES.html",
        "man/man1/dogpile.1",
        "man/man1/dogpile-serve.1",
        "completions/dogpile",
        "completions/_dogpile",
        "completions/dogpile.fish",
        "documentation/README.md",
        "documentation/CHANGELOG.md",
        "documentation/docs/for-operators.md",
        "documentation/docs/dogpile.service",
        "documentation/docs/kubernetes/deployment.yaml",
        "documentation/docs/grafana/dogpile.json",
        "documentation/docs/alerts.yml",
    ] {
        if !files.contains(Path::new(name)) {
            let _ = writeln!(problems, "there is no {name}");
        }
    }
    let sums = fs::read_to_string(folder.join("SHA256SUMS")).expect("it has digests");
    let mut known: BTreeSet<PathBuf> = sums
        .lines()
        .filter_map(|line| Some(line.split_once("  ")?.1.into()))
        .collect();
    known.insert("SHA256SUMS".into());
    for name in files.symmetric_difference(&known) {
        let _ = writeln!(problems, "{} is not in both", name.display());
    }
}

/// Links of the archive's pages that lead to nothing in it.
fn links(folder: &Path, files: &BTreeSet<PathBuf>, problems: &mut String) {
    let pages = files
        .iter()
        .filter(|name| name.extension() == Some("md".as_ref()) && !name.starts_with("site"));
    for dead in pages.flat_map(|page| dead_links(&folder.join(page))) {
        let _ = writeln!(problems, "{dead}");
    }
}

/// Has the archive's command load each plugin of the project from the archive.
fn plugins(folder: &Path, problems: &mut String) {
    let mut manifest = String::from("version = 1\n");
    let mut count = 0;
    for entry in fs::read_dir(workspace().join("plugins")).expect("it is there") {
        let crate_folder = entry.expect("it can be listed").path();
        let text = fs::read_to_string(crate_folder.join("Cargo.toml")).expect("it is a crate");
        if text.contains("cdylib") {
            let name = crate_folder.file_name().expect("it has one");
            let _ = writeln!(manifest, "[plugins.{}]", name.display());
            count += 1;
        }
    }
    fs::write(folder.join("all.toml"), manifest).expect("there is room");
    let mut check = Command::new(folder.join("dogpile"));
    let check = check.args(["--manifest", "all.toml", "check"]);
    let output = check
        .env_remove("DOGPILE_TRUST")
        .current_dir(folder)
        .output();
    let output = output.expect("it can be started");
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    if said != format!("ok: 0 regions, {count} plugins\n") {
        let _ = writeln!(problems, "{said}");
    }
}

#[test]
fn an_archive_is_whole_and_works_by_what_its_readme_says_until_the_next_release() {
    let root = tempfile::tempdir().expect("there is room");
    let (listed, folder) = unpacked(root.path());
    let files = files(&folder, &folder);
    let mut problems = String::new();
    owners_and_modes(&listed, &mut problems);
    parts(&folder, &files, &mut problems);
    links(&folder, &files, &mut problems);
    plugins(&folder, &mut problems);
    let readme = fs::read_to_string(folder.join("README.md")).unwrap_or_default();
    for (name, page) in [("README.md", &*readme), ("the next release", NEXT_RELEASE)] {
        let typed: Vec<_> = blocks(page).iter().flat_map(commands).collect();
        assert!(typed.len() > 5, "nothing is typed: {page}");
        problems += &shell::differences(name, &typed, root.path(), &folder);
    }
    assert!(problems.is_empty(), "\n{problems}");
}
