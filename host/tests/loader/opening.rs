//! Plugins that refuse, panic or hang when they are opened. `lies` has what else they may do.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use dogpile::Host;
use dogpile::loader::{Loaded, Loader, OpenError, host_functions, open_backend};

use crate::fixtures::{LONG, clock, file, rust};

fn load(name: &str) -> Loaded {
    let (_folder, path) = file(&rust(name));
    Loader::new().load(&path).unwrap()
}

#[test]
fn a_panic_in_open_is_told_at_the_backend_with_the_file() {
    let (folder, library) = file(&rust("lies"));
    let name = library.file_name().unwrap().to_string_lossy();
    let manifest = folder.path().join("dogpile.toml");
    let text = format!(
        "version = 1\nhost.plugin_dir = \".\"\n[plugins.p]\nfile = \"{name}\"\n[regions.a]\nbackend = \"lies\"\n\
         expiration_time = 1\narguments = {{ lie = \"panics\", in = \"open\" }}\n"
    );
    fs::write(&manifest, text).unwrap();
    let error = Host::open(&manifest).map(drop).unwrap_err().to_string();
    assert!(
        error.contains("dogpile.toml:6:11: error[plugin-panicked]: "),
        "{error}"
    );
    assert!(
        error.contains("/plugin.so) did not open: it panicked in open: "),
        "{error}"
    );
    assert!(error.contains("open is not for me"), "{error}");
}

#[test]
fn wrong_arguments_and_names_are_errors() {
    let loaded = load("good");
    let host = host_functions("p", clock());
    for (name, arguments) in [("counter", r#"{"size": 1}"#), ("nothing", "{}")] {
        let opened = open_backend(&loaded.plugin, name, arguments, host, LONG);
        assert!(matches!(opened, Err(OpenError::Failed(_))));
    }
}

#[test]
fn an_open_that_hangs_is_given_up_and_a_late_instance_closed() {
    let loaded = load("hangs_in_open");
    let folder = tempfile::tempdir().unwrap();
    let [wait_for, when_closed] = ["go", "closed"].map(|name| folder.path().join(name));
    let arguments = format!(
        r#"{{"wait_for": "{}", "when_closed": "{}"}}"#,
        wait_for.display(),
        when_closed.display()
    );
    let host = host_functions("p", clock());
    let timeout = Duration::from_millis(50);
    let began = Instant::now();
    let opened = open_backend(&loaded.plugin, "hangs", &arguments, host, timeout);
    let Err(error @ OpenError::TimedOut { .. }) = opened else {
        panic!("it is given up");
    };
    assert!(began.elapsed() < Duration::from_secs(10));
    assert!(error.to_string().contains("`hangs`"), "{error}");
    fs::write(&wait_for, "").unwrap();
    wait_until_there(&when_closed);

    // Another open of the same plugin is not in the way of the one left behind.
    let opened = open_backend(&loaded.plugin, "hangs", &arguments, host, LONG);
    opened.unwrap().close().unwrap();
}

/// Only a file tells that a plugin in another thread is done.
fn wait_until_there(path: &Path) {
    let began = Instant::now();
    while !path.exists() {
        assert!(began.elapsed() < LONG, "it is never closed");
        std::thread::yield_now();
    }
}
