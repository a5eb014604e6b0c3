//! Plugins of an earlier and of a later interface, with hosts of a later and of an earlier one; and what is not compatible.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use dogpile::loader::{LoadErrorKind, Loader};
use dogpile_plugin_api::testing::{Offered, host};
use dogpile_plugin_api::{
    Decision, ErrorKind, Guarded, Key, Metadata, Plugin, Result, Storage, TemplatePart,
    TemplateRequest, Value,
};

use crate::bad_files::refused;
use crate::fixtures::{c, file, newer, newer_host, only, released, rust, sources};
use crate::versions::{own_version, version};

fn text(got: Result<Option<Value>>) -> String {
    let value = got.unwrap().expect("it is there");
    String::from_utf8(value.as_bytes().unwrap().to_vec()).unwrap()
}

/// All that a plugin `whole` offers works in this host, whichever interface it was built with.
fn assert_works(plugin: Plugin, package: &str, hosts: &str, error: (ErrorKind, &str)) {
    let host = host();
    let info = plugin.describe().unwrap();
    assert_eq!(
        (&*info.package, &*info.backends[0].name),
        (package, "whole")
    );

    let whole = plugin.open_backend("whole", "{}", host.raw()).unwrap();
    let name = host.key("a");
    let key = name.as_key();
    let value = |bytes| Value::copied(&Metadata::default(), key, bytes);
    whole.set(&key, &value(b"one")).unwrap();
    assert_eq!(text(whole.get(&key)), "one");
    assert_eq!(text(whole.get(&Key::new("host", 0))), hosts);
    let failed = whole.get(&Key::new("error", 0)).unwrap_err();
    assert_eq!((failed.kind(), failed.message()), error);
    assert_eq!(whole.stats().unwrap().entries, Some(1));
    let properties = whole.properties();
    assert_eq!(properties.storage, Storage::Bytes);
    assert!(properties.blocking && properties.exclusive && properties.shared);

    let mutex = whole.mutex(&key).unwrap().unwrap();
    let mut lease = mutex.try_acquire(Duration::from_secs(1)).unwrap().unwrap();
    assert_eq!(lease.tag, 7);
    assert!(mutex.is_locked().unwrap() && mutex.renew(&mut lease).unwrap());
    let store = || whole.set_guarded(&key, &value(b"two"), &lease).unwrap();
    assert_eq!(store(), Guarded::Stored);
    mutex.release(lease).unwrap();
    assert_eq!(store(), Guarded::LeaseLost);

    let mangler = plugin.open_mangler("whole", "{}", host.raw()).unwrap();
    assert_eq!(mangler.mangle("a").unwrap(), "m:a");
    let pages = plugin
        .open_template_cache("whole", "{}", host.raw())
        .unwrap();
    let request = TemplateRequest::new("tera", "a.html", (TemplatePart::Page, ""), "key");
    let Decision::Cache(entry) = pages.decide(&request).unwrap() else {
        panic!("all is cached");
    };
    assert_eq!((&*entry.region, &*entry.key), ("pages", "key"));
}

#[test]
fn a_plugin_of_a_later_interface_works_in_this_host() {
    let (_folder, path) = file(&newer());
    let loaded = Loader::new().load(&path).unwrap();
    assert_eq!(loaded.api_version, version());
    // A function that this host lacks, and an error of a kind that it does not know.
    let error = (ErrorKind::Other, "of a kind that is new");
    assert_works(loaded.plugin, "newer", "test true None", error);
}

#[test]
fn plugins_of_all_released_interfaces_work_in_this_host() {
    let archives = fs::read_dir(sources().join("frozen")).unwrap();
    let archives = archives.map(|entry| entry.unwrap().path());
    let is_crate = |path: &PathBuf| path.extension().is_some_and(|ending| ending == "crate");
    let archives: Vec<_> = archives.filter(is_crate).collect();
    assert!(
        own_version().starts_with("0.") || !archives.is_empty(),
        "tests/badplugins/frozen has none: its README.md says how they are made"
    );
    for archive in archives {
        let (_folder, path) = file(&released(&archive));
        let plugin = Loader::new().load(&path).unwrap().plugin;
        let error = (ErrorKind::Refused, "of a kind that all know");
        assert_works(plugin, "frozen", "test true", error);
    }
}

#[test]
fn a_proxy_of_a_later_interface_gets_defaults_for_what_this_host_has_not() {
    let (_folder, path) = file(&newer());
    let plugin = Loader::new().load(&path).unwrap().plugin;
    let host = host();
    let whole = Offered {
        plugin,
        name: "whole",
        arguments: "{}",
    };
    let proxy = host.open(whole, &[whole]).unwrap();
    let set = |name: &str, bytes: &[u8]| {
        let name = host.key(name);
        let value = Value::copied(&Metadata::default(), name.as_key(), bytes);
        proxy.set(&name.as_key(), &value).unwrap();
    };
    set("a", b"one");
    assert_eq!(text(proxy.get(&host.key("a").as_key())), "around one");
    // What it wraps is this host's, in whose table the method is missing: `get`.
    set("appended", b"got");
    assert_eq!(text(proxy.get(&host.key("appended").as_key())), "got");
    // So is the mutex: `is_locked`. The lease was made by the later interface, and keeps its word on the way through.
    let mutex = text(proxy.get(&host.key("appended to the mutex").as_key()));
    assert_eq!(mutex, "false true 7");
}

#[test]
fn a_host_of_a_later_interface_gets_defaults_for_what_a_plugin_of_this_one_has_not() {
    let (_folder, path) = file(&rust("whole"));
    Loader::new().load(&path).unwrap();
    let told = newer_host(&path);
    let expected = "\
describe: whole []
plugin: None
get: one
backend: one
host: test true
error: Refused of a kind that all know
stats: Some(1) 0
mutex: false true
lease: 7 0
guarded: Stored
proxy: around three
mangler: m:a m:a
templates: pages key 0
";
    assert_eq!(told, expected);
}

/// The message about a library whose tables have that change, behind its path.
fn changed(library: &[u8], change: &str) -> String {
    let mut library = library.to_vec();
    let at = only(&library, b"layout:removed__________") + b"layout:".len();
    let word = format!("{change:_<17}");
    library[at..at + word.len()].copy_from_slice(word.as_bytes());
    let (_folder, path) = file(&library);
    let error = refused(&path, LoadErrorKind::Layout).to_string();
    assert!(!error.contains('\n') && error.len() < 400, "{error}");
    let rest = error.strip_prefix(&path.display().to_string());
    rest.expect("it begins with the file").to_owned()
}

#[test]
fn a_change_that_is_not_compatible_is_told_in_one_line() {
    let library = rust("changed_layout");
    let own = own_version();
    for (change, place, difference) in [
        (
            "removed",
            ".table `ManglerTable`",
            "1 guaranteed fields against 2, the field `destroy` where `mangle` should be",
        ),
        (
            "reordered",
            ".table `ManglerTable`",
            "the field `destroy` where `mangle` should be, the field `mangle` where `destroy` should be",
        ),
        (
            "parameter",
            ".table.mangle()",
            "the parameters (state,key,seed) against (state,key), another number of parameters",
        ),
        (
            "renamed",
            ".table.mangle()",
            "the parameters (state,text) against (state,key)",
        ),
        (
            "answer",
            ".table.mangle() -> `RawValue`",
            "the type u64 against RawValue",
        ),
        (
            "guaranteed",
            ".table `ManglerTable`",
            "8 bytes against 16, 1 guaranteed fields against 2",
        ),
        (
            "retyped",
            ".state `*const`",
            "the type usize against *const () ",
        ),
        (
            "larger",
            " `RawMangler`",
            "24 bytes against 16, 3 fields against 2",
        ),
    ] {
        let told = changed(&library, change);
        let expected = format!(
            ": its tables differ from this host's: open_mangler(mangler_given){place}: {difference} [plugin-wrong-layout]; build \
             it with dogpile-plugin-api {own}"
        );
        assert_eq!(told, expected, "{change}");
    }
}

#[test]
fn a_plugin_of_another_epoch_is_told_who_must_move() {
    let (_folder, path) = file(&c("wrong_epoch"));
    let error = refused(&path, LoadErrorKind::WrongEpoch);
    let own = own_version();
    assert_eq!(
        error.remedy(),
        format!("build it with dogpile-plugin-api {own}")
    );

    let good = rust("good");
    let at = only(&good, &dogpile_plugin_api::abi::MAGIC);
    for (epoch, api, remedy) in [
        (
            2,
            "0.0.7",
            format!("build it with dogpile-plugin-api {own}"),
        ),
        (
            999,
            "9.1.0",
            format!(
                "build it with dogpile-plugin-api {own}, or use a host that has at least 9.1.0"
            ),
        ),
    ] {
        let mut other = good.clone();
        other[at + 8..at + 12].copy_from_slice(&u32::to_le_bytes(epoch));
        other[at + 24..at + 24 + api.len()].copy_from_slice(api.as_bytes());
        let (_folder, path) = file(&other);
        let error = refused(&path, LoadErrorKind::WrongEpoch);
        let found = format!("interface epoch {epoch} (dogpile-plugin-api {api})");
        assert!(error.message().contains(&found), "{error}");
        assert_eq!(error.remedy(), remedy);
    }
}
