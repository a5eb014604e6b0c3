//! A plugin from outside the workspace: the guide's, built by cargo as a stranger would, and edited while a host runs.

use std::fs;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use dogpile::{Host, HostStatus, Source};
use dogpile_tests::built;
use dogpile_tests::outside::{Builder, LIKE_FIXTURES, share_versions, workspace};

/// Longer than anything but a build takes.
const DEADLINE: Duration = Duration::from_secs(20);

const LIBRARY: &str = "libdogpile_plugin_map.so";

/// The source of the guide's plugin.
const SOURCE: &str = include_str!("../fixtures/readme_plugin/src/lib.rs");
const PACKAGE: &str = include_str!("../fixtures/readme_plugin/Cargo.toml");

/// A crate in a folder of its own. It depends on plugin-api by path, and on nothing else of the workspace.
struct Outside {
    folder: tempfile::TempDir,
}

impl Outside {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let by_path = "path = \"../../../plugin-api\"";
        assert!(PACKAGE.contains(by_path), "{PACKAGE}");
        let api = workspace().join("plugin-api");
        let package = PACKAGE.replace(by_path, &format!("path = \"{}\"", api.display()));
        let package = format!("{package}{LIKE_FIXTURES}");
        fs::write(folder.path().join("Cargo.toml"), package).unwrap();
        share_versions(folder.path());
        fs::create_dir(folder.path().join("src")).unwrap();
        Self { folder }
    }

    /// Builds `source`, and gives the library's bytes.
    fn build(&self, source: &str) -> Vec<u8> {
        let builder = Builder::new(env!("CARGO_TARGET_TMPDIR"));
        fs::write(self.folder.path().join("src/lib.rs"), source).unwrap();
        let (built, _) = builder.cargo(self.folder.path(), &["build", "--quiet"]);
        fs::read(built.join(LIBRARY)).unwrap()
    }
}

/// The plugin with another `get`, as after an edit of its source.
fn edited(get: &str) -> String {
    let old = "    fn get(&self, key: &Key) -> Result<Option<Value>> {\n";
    assert_eq!(SOURCE.matches(old).count(), 1);
    SOURCE.replace(old, &format!("{old}{get}"))
}

/// A running host whose manifest lists no plugin yet.
struct Site {
    folder: tempfile::TempDir,
    host: Host,
}

impl Site {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("plugins")).unwrap();
        let manifest = folder.path().join("dogpile.toml");
        fs::write(&manifest, "version = 1\n").unwrap();
        let host = Host::open(manifest).unwrap();
        Self { folder, host }
    }

    fn replace(&self, name: &str, content: &[u8]) {
        let beside = self.folder.path().join("beside");
        fs::write(&beside, content).unwrap();
        fs::rename(beside, self.folder.path().join(name)).unwrap();
    }

    fn drop_in(&self, library: &[u8]) {
        self.replace(&format!("plugins/{LIBRARY}"), library);
    }

    fn list(&self) {
        let manifest = "version = 1\n[plugins.map]\n\
                        [regions.pages]\nbackend = \"map\"\nexpiration_time = \"1h\"\n";
        self.replace("dogpile.toml", manifest.as_bytes());
    }

    /// Waits until another image of the plugin is in force.
    #[track_caller]
    fn until_loaded(&self, before: &HostStatus) -> HostStatus {
        let image = |status: &HostStatus| status.plugins.first().map(|plugin| plugin.generation);
        until("the new code is loaded", || {
            let status = self.host.status();
            assert_eq!(status.last_error, None);
            image(&status) != image(before)
        });
        self.host.status()
    }
}

#[track_caller]
fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let began = Instant::now();
    while !condition() {
        assert!(began.elapsed() < DEADLINE, "never: {what}");
        thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn a_plugin_from_outside_is_dropped_in_listed_used_rebuilt_and_used_again() {
    let outside = Outside::new();
    let site = Site::new();
    let idle = site.host.status();

    // Dropped in: nothing happens until it is listed.
    site.drop_in(&outside.build(SOURCE));
    let began = Instant::now();
    while began.elapsed() < Duration::from_millis(500) {
        let now = site.host.status();
        assert_eq!((now.generation, now.plugins.len()), (idle.generation, 0));
        thread::sleep(Duration::from_millis(5));
    }

    // Listed and used.
    site.list();
    let first = site.until_loaded(&idle);
    assert_eq!(first.plugins[0].name, "map");
    let pages = site.host.region("pages").unwrap();
    let created = pages.get_or_create("page", || "made".to_owned()).unwrap();
    assert_eq!((&**created, created.source()), ("made", Source::Created));
    let hit = pages
        .get_or_create("page", || "not made".to_owned())
        .unwrap();
    assert_eq!((&**hit, hit.source()), ("made", Source::Fresh));
    pages.delete("page").unwrap();
    assert!(pages.get::<String>("page").unwrap().is_none());

    // Rebuilt with other behaviour: `wait` is answered when a file is there, in words of this build.
    let go = site.folder.path().join("go");
    let answer = |build: &str| {
        format!("br#\"{{\"ct\": 1.0, \"v\": 2}}|\"{build} build\"\"#.to_vec().into()")
    };
    let waiting = format!(
        "        if key.as_str() == \"wait\" {{\n            \
             std::fs::write({began:?}, \"\")?;\n            \
             while !std::fs::exists({go:?})? {{ std::thread::yield_now(); }}\n            \
             return Ok(Some({answer}));\n        }}\n",
        began = site.folder.path().join("began"),
        answer = answer("second"),
    );
    site.drop_in(&outside.build(&edited(&waiting)));
    let second = site.until_loaded(&first);
    assert_eq!(second.generation, first.generation + 1);
    pages.set("page", "of the second build".to_owned()).unwrap();

    // Rebuilt once more while a call runs: that call ends on the old code, the next is on the new.
    let third_build = outside.build(&edited(&format!(
        "        if key.as_str() == \"wait\" {{\n            return Ok(Some({}));\n        }}\n",
        answer("third")
    )));
    let forever = Duration::from_hours(1_000_000);
    thread::scope(|scope| {
        let ask = || {
            let entry = pages.entry("wait").expiration_time(forever);
            entry.get::<String>().unwrap().unwrap()
        };
        let on_old_code = scope.spawn(ask);
        until("the call runs", || {
            site.folder.path().join("began").exists()
        });
        site.drop_in(&third_build);
        let third = site.until_loaded(&second);
        assert_eq!(third.generation, second.generation + 1);
        assert_eq!(*ask(), "third build");
        fs::write(&go, "").unwrap();
        assert_eq!(*on_old_code.join().unwrap(), "second build");
    });
    assert!(pages.get::<String>("page").unwrap().is_none());
}

#[test]
fn a_plugin_from_outside_passes_the_suites() {
    let folder = tempfile::tempdir().unwrap();
    let library = folder.path().join(LIBRARY);
    fs::write(&library, Outside::new().build(SOURCE)).unwrap();
    let mut command = Command::new(built("dogpile", "dogpile-cli"));
    command.arg("conformance").arg(&library);
    let output = command.output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{told}");
    assert!(told.contains(" passed, 0 failed, "), "{told}");
}
