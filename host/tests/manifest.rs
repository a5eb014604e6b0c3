//! Manifests, right and wrong, against the output that stands beside them.
//! `UPDATE_EXPECT=1 cargo test` writes that output anew.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{env, fs};

use dogpile::manifest::{Manifest, ManifestErrors};

/// The environment of every fixture.
fn environment(name: &str) -> Option<String> {
    match name {
        "EMPTY" => Some(String::new()),
        "SECRET" => Some("canary".into()),
        "STAGE" => Some("live".into()),
        "TTL" => Some("90s".into()),
        _ => None,
    }
}

fn load(path: &Path) -> Result<Manifest, ManifestErrors> {
    Manifest::load_with(path, &environment)
}

fn fixtures(folder: &str) -> Vec<PathBuf> {
    // Relative, as tests run in the package's folder: the output holds the path.
    let mut found: Vec<PathBuf> = fs::read_dir(Path::new("tests/manifest").join(folder))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "toml")
        })
        .collect();
    found.sort();
    found
}

/// Compares with the file beside the fixture; returns a readable difference.
fn compare(fixture: &Path, extension: &str, actual: &str) -> Option<String> {
    let beside = fixture.with_extension(extension);
    if env::var_os("UPDATE_EXPECT").is_some() {
        fs::write(&beside, actual).unwrap();
        return None;
    }
    let expected = fs::read_to_string(&beside).unwrap_or_default();
    if expected == actual {
        return None;
    }
    let mut report = format!("--- {}\n+++ actual\n", beside.display());
    let (old, new): (Vec<_>, Vec<_>) = (expected.lines().collect(), actual.lines().collect());
    let same = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
    let tail = old[same..]
        .iter()
        .rev()
        .zip(new[same..].iter().rev())
        .take_while(|(a, b)| a == b)
        .count();
    for line in &old[same..old.len() - tail] {
        writeln!(report, "-{line}").unwrap();
    }
    for line in &new[same..new.len() - tail] {
        writeln!(report, "+{line}").unwrap();
    }
    Some(report)
}

#[test]
fn wrong_manifests_are_refused_with_place_cause_and_remedy() {
    let mut differences = Vec::new();
    let fixtures = fixtures("bad");
    assert!(fixtures.len() >= 45, "only {} fixtures", fixtures.len());
    for fixture in fixtures {
        let Err(errors) = load(&fixture) else {
            panic!("{} was accepted", fixture.display());
        };
        for error in &errors {
            let shown = error.to_string();
            assert!(error.line() > 0 && error.column() > 0, "no place: {shown}");
            assert!(
                !error.message().is_empty() && !error.remedy().is_empty(),
                "{shown}"
            );
            assert!(shown.contains('^'), "no caret: {shown}");
        }
        let shown = format!("{errors}\n");
        assert!(
            !format!("{shown}{errors:?}").contains("canary"),
            "a secret is shown: {shown}"
        );
        differences.extend(compare(&fixture, "stderr", &shown));
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[test]
fn right_manifests_mean_what_they_say() {
    let mut differences = Vec::new();
    for fixture in fixtures("good") {
        let manifest = load(&fixture).unwrap_or_else(|errors| panic!("{errors}"));
        let mut shown = String::new();
        for warning in manifest.warnings() {
            writeln!(shown, "{warning}\n").unwrap();
        }
        for input in manifest.inputs() {
            writeln!(shown, "input {}", input.display()).unwrap();
        }
        writeln!(shown, "\n{}\n{manifest:#?}", manifest.masked_toml()).unwrap();
        assert!(!shown.contains("canary"), "a secret is shown: {shown}");
        differences.extend(compare(&fixture, "stdout", &shown));
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

/// A folder with one manifest in it.
struct Scratch(tempfile::TempDir);

impl Scratch {
    fn new(manifest: &str) -> Self {
        let scratch = Self(tempfile::tempdir().unwrap());
        scratch.write("dogpile.toml", manifest);
        scratch
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        // A new file: some file systems write one that is truncated to the disk at once.
        let _ = fs::remove_file(&path);
        fs::write(path, content).unwrap();
    }

    fn load(&self) -> Result<Manifest, ManifestErrors> {
        load(&self.path("dogpile.toml"))
    }

    fn hash(&self) -> String {
        self.load().unwrap().content_hash().to_owned()
    }
}

#[test]
fn a_manifest_cut_anywhere_is_right_or_refused() {
    let text = fs::read("tests/manifest/good/everything.toml").unwrap();
    let scratch = Scratch::new("");
    scratch.write("secrets/redis", "x");
    scratch.write("conf.d/a.toml", "");
    let mut right = 0;
    for length in 0..=text.len() {
        scratch.write("dogpile.toml", &text[..length]);
        match scratch.load() {
            Ok(_) => right += 1,
            Err(errors) => assert!(errors.iter().all(|error| error.line() > 0), "{errors}"),
        }
    }
    assert!(right > 0);
}

#[test]
fn a_damaged_manifest_never_panics() {
    let text = fs::read("tests/manifest/good/everything.toml").unwrap();
    let scratch = Scratch::new("");
    scratch.write("secrets/redis", "x");
    // xorshift: the same damage in every run.
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % below as u64).unwrap()
    };
    for _ in 0..3000 {
        let mut damaged = text.clone();
        for _ in 0..=random(4) {
            let at = random(damaged.len());
            match random(4) {
                0 => damaged[at] = b"\"'[]{}=.,#$\n\\-0x\xc3"[random(17)],
                1 => drop(damaged.remove(at)),
                2 => {
                    let until = (at + random(60)).min(damaged.len());
                    damaged.drain(at..until);
                }
                _ => {
                    let from = random(text.len());
                    let until = (from + random(60)).min(text.len());
                    damaged.splice(at..at, text[from..until].iter().copied());
                }
            }
        }
        scratch.write("dogpile.toml", &damaged);
        if let Err(errors) = scratch.load() {
            assert!(!errors.to_string().is_empty());
        }
    }
}

#[test]
fn what_is_no_readable_file_is_refused_without_waiting() {
    let scratch = Scratch::new("");
    let told = |name: &str| load(&scratch.path(name)).unwrap_err().to_string();
    assert!(told("missing.toml").contains("the manifest does not exist"));
    fs::create_dir(scratch.path("folder.toml")).unwrap();
    assert!(told("folder.toml").contains("is a directory, not a file"));
    let socket = std::os::unix::net::UnixListener::bind(scratch.path("socket.toml")).unwrap();
    assert!(told("socket.toml").contains("is a pipe, socket or device, not a file"));
    drop(socket);
    assert!(load(Path::new("/dev/zero")).is_err());
    scratch.write("large.toml", vec![b'#'; 2 << 20]);
    assert!(told("large.toml").contains("is larger than 1 MiB"));
    let errors = load(&scratch.path("missing.toml")).unwrap_err();
    assert_eq!(errors.inputs(), [scratch.path("missing.toml")]);
    assert_eq!((errors.len(), errors.iter().next().unwrap().line()), (1, 0));
}

#[test]
fn the_hash_follows_everything_that_was_read_and_nothing_else() {
    let scratch = Scratch::new(
        "version = 1\ninclude = [\"d/*.toml\"]\n[regions.a]\nbackend = \"x\"\n\
         expiration_time = 1\narguments = { a = \"${file:s}\", b = \"${V:-x}\" }\n",
    );
    scratch.write("s", "1");
    let first = scratch.hash();
    assert_eq!(first.len(), 64);
    assert_eq!(first, scratch.hash());
    scratch.write("unrelated.toml", "x");
    scratch.write("d/unrelated.txt", "x");
    assert_eq!(first, scratch.hash());
    scratch.write("s", "2");
    let second = scratch.hash();
    assert_ne!(first, second);
    scratch.write("d/x.toml", "");
    let third = scratch.hash();
    assert_ne!(second, third);
    let path = scratch.path("dogpile.toml");
    let fourth = Manifest::load_with(&path, &|_| Some("v".into())).unwrap();
    assert_ne!(third, fourth.content_hash());
    let fifth = Manifest::load_with(&path, &|_| Some("w".into())).unwrap();
    assert_ne!(fourth.content_hash(), fifth.content_hash());
    assert_ne!(fourth.regions()["a"], fifth.regions()["a"]);
}

#[test]
fn a_failed_load_says_what_to_watch() {
    let scratch = Scratch::new(
        "version = 1\ninclude = [\"d/*.toml\", \"e.toml\"]\n[host]\nplugin_dir = \"${file:s}\"\n",
    );
    let errors = scratch.load().unwrap_err();
    let wanted: Vec<PathBuf> = ["d", "dogpile.toml", "e.toml", "s"]
        .iter()
        .map(|name| scratch.path(name))
        .collect();
    assert_eq!(errors.inputs(), wanted);
    let hash = errors.content_hash().to_owned();
    scratch.write("s", "plugins");
    assert_ne!(scratch.load().unwrap_err().content_hash(), hash);
}

#[test]
fn other_checks_can_point_into_the_manifest() {
    let scratch = Scratch::new(
        "version = 1\ninclude = [\"more.toml\"]\n[regions.a]\nbackend = \"redsi\"\n\
         expiration_time = 1\n[regions.a.arguments]\nmax = [1, 2]\n",
    );
    scratch.write(
        "more.toml",
        "[regions.b]\nbackend = \"x\"\nexpiration_time = 1\narguments = { a = 1 }\n",
    );
    let manifest = scratch.load().unwrap();
    let place = |path: &[&str]| {
        let error = manifest.error_at(path, "wrong", "right");
        let file = error
            .file()
            .file_name()
            .unwrap()
            .to_str()
            .unwrap()
            .to_owned();
        (file, error.line(), error.column())
    };
    let main = |line, column| ("dogpile.toml".to_owned(), line, column);
    let more = |line, column| ("more.toml".to_owned(), line, column);
    assert_eq!(place(&["regions", "a", "backend"]), main(4, 11));
    assert_eq!(place(&["regions", "a", "arguments", "max"]), main(7, 7));
    assert_eq!(
        place(&["regions", "a", "arguments", "max", "1"]),
        main(7, 11)
    );
    assert_eq!(place(&["regions", "a", "arguments", "min"]), main(6, 1));
    assert_eq!(place(&["regions", "a"]), main(3, 1));
    assert_eq!(place(&["regions", "b", "arguments", "a"]), more(4, 19));
    assert_eq!(place(&["regions", "b", "arguments", "z", "z"]), more(4, 1));
    assert_eq!(place(&["nowhere"]), main(1, 1));
    let key = manifest.error_at_key(&["regions", "b", "arguments", "a"], "wrong", "right");
    assert_eq!((key.line(), key.column()), (4, 15));
    assert!(manifest.refuse(Vec::new()).is_none());
    let refused = manifest.refuse(vec![key]).unwrap();
    assert!(refused.to_string().contains("4 | arguments = { a = "));
    assert!(
        !refused.to_string().contains("a = 1"),
        "nobody knows what it holds"
    );
    assert!(refused.to_string().ends_with("\n\n1 error"));
}

#[test]
fn regions_are_equal_if_they_mean_the_same() {
    let region = |body: &str| {
        let text = format!("version = 1\n[regions.a]\nbackend = \"x\"\n{body}");
        Scratch::new(&text).load().unwrap().regions()["a"].clone()
    };
    let plain = region("expiration_time = 90\nkey_prefix = \"live\"");
    assert_eq!(
        plain,
        region("key_prefix = \"${STAGE}\" # same\nexpiration_time = \"1m30s\"")
    );
    assert_eq!(
        plain,
        region("expiration_time = \"${TTL}\"\nkey_prefix = \"live\"\nmax_stale = 90")
    );
    assert_ne!(plain, region("expiration_time = 91\nkey_prefix = \"live\""));
    assert_ne!(
        plain,
        region("expiration_time = 90\nkey_prefix = \"live\"\nlock_wait = 1")
    );
}

#[test]
fn paths_start_at_the_manifests_folder() {
    let scratch = Scratch::new("version = 1\n[plugins.a-b]\n[host]\nadmin_socket = \"run/s\"\n");
    let manifest = scratch.load().unwrap();
    assert_eq!(manifest.host().plugin_dir, scratch.path("plugins"));
    assert_eq!(manifest.host().admin_socket, Some(scratch.path("run/s")));
    let plugin = &manifest.plugins()["a-b"];
    assert_eq!(plugin.file, "libdogpile_plugin_a_b.so");
    assert_eq!(
        plugin.path,
        scratch.path("plugins/libdogpile_plugin_a_b.so")
    );
}

#[test]
fn the_printed_manifest_can_be_read_back() {
    for fixture in fixtures("good") {
        let printed = load(&fixture).unwrap().masked_toml();
        let again = Scratch::new(&printed.replace("../plugins", "plugins"));
        let manifest = again
            .load()
            .unwrap_or_else(|errors| panic!("{printed}\n{errors}"));
        assert!(manifest.warnings().is_empty(), "{printed}");
    }
}
