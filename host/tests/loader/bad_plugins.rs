//! Libraries that are not what a plugin must be: each is refused with its own error, and the process lives.

use std::fs;

use dogpile::loader::{LoadErrorKind, Loader, loaded_images};
use dogpile_plugin_api::abi::MAGIC;

use crate::bad_files::refused;
use crate::fixtures::{c, count, distinct, file, only, open, rust, rust_compiled};
use crate::own_process::is_outer;

/// The good plugin with the word at `offset` in its header replaced.
fn with_header(offset: usize, word: &[u8]) -> Vec<u8> {
    let mut good = rust("good");
    let at = only(&good, &MAGIC) + offset;
    good[at..at + word.len()].copy_from_slice(word);
    good
}

/// The good plugin with the name `old` in its dynamic tables replaced by `new`, of the same length. (A second one is
/// in the tables for debuggers, which stand behind.)
fn with_string(old: &[u8], new: &[u8]) -> Vec<u8> {
    let mut good = rust("good");
    let mut names = good.windows(old.len());
    let at = names.position(|found| found == old).expect("it is there");
    good[at..at + new.len()].copy_from_slice(new);
    good
}

#[test]
fn a_library_without_a_header_is_refused() {
    let (_folder, path) = file(&c("no_header"));
    let error = refused(&path, LoadErrorKind::NotAPlugin);
    assert!(error.message().contains("__dogpile_plugin_"), "{error}");
    assert!(error.remedy().contains("export_plugin!"), "{error}");
}

#[test]
fn a_header_that_is_something_else_is_refused() {
    let (_folder, path) = file(&c("not_magic"));
    let error = refused(&path, LoadErrorKind::NotAPlugin);
    assert!(error.message().contains("not_magic"), "{error}");
}

#[test]
fn a_plugin_of_another_epoch_is_refused() {
    let (_folder, path) = file(&c("wrong_epoch"));
    let error = refused(&path, LoadErrorKind::WrongEpoch);
    assert!(error.message().contains("epoch 999"), "{error}");
    assert!(error.remedy().contains("dogpile-plugin-api"), "{error}");
}

#[test]
fn a_header_that_is_shorter_or_longer_than_its_symbol_is_refused() {
    for length in [0, 24, u32::MAX] {
        let bytes = with_header(12, &u32::to_le_bytes(length));
        let (_folder, path) = file(&bytes);
        refused(&path, LoadErrorKind::NotAPlugin);
    }
}

#[test]
fn a_plugin_of_another_abi_stable_is_refused() {
    let (_folder, path) = file(&with_header(24 + 24, b"0.10.0"));
    let error = refused(&path, LoadErrorKind::Layout);
    assert!(error.message().contains("abi_stable 0.10.0"), "{error}");
}

#[test]
fn a_plugin_that_aborts_on_panic_is_refused() {
    let (_folder, path) = file(&rust_compiled("aborts", "-Cpanic=abort"));
    let error = refused(&path, LoadErrorKind::Aborts);
    assert!(error.remedy().contains("panic = \"unwind\""), "{error}");
    // The same source is fine when it is built as cargo does by default.
    let (_folder, path) = file(&rust("aborts"));
    Loader::new().load(&path).unwrap();
}

#[test]
fn a_library_of_two_plugins_is_refused_and_both_are_named() {
    let (_folder, path) = file(&rust("two_headers"));
    let error = refused(&path, LoadErrorKind::SeveralPlugins);
    for name in ["__dogpile_plugin_two_headers", "__dogpile_plugin_other"] {
        assert!(error.message().contains(name), "{error}");
    }
}

#[test]
fn a_plugin_of_another_layout_is_refused_and_not_mapped_twice() {
    let own = "bad_plugins::a_plugin_of_another_layout_is_refused_and_not_mapped_twice";
    if is_outer(own) {
        return;
    }
    let bytes = rust("changed_layout");
    let (_folder, path) = file(&bytes);
    assert!(Loader::new().inspect(&path).is_ok(), "its header is fine");
    assert_eq!(loaded_images(), 0);
    let error = refused(&path, LoadErrorKind::Layout);
    let (_other_folder, other) = file(&bytes);
    let again = refused(&other, LoadErrorKind::Layout);
    assert_eq!(again.message(), error.message());
    assert_eq!(loaded_images(), 1);
}

#[test]
fn a_plugin_that_needs_a_missing_library_is_refused_and_the_library_named() {
    let old = b"libgcc_s.so.1\0";
    let bytes = with_string(old, b"libgone.so.99\0");
    let (_folder, path) = file(&bytes);
    let error = refused(&path, LoadErrorKind::MissingLibrary);
    assert!(error.message().contains("libgone.so.99"), "{error}");
    assert!(!error.to_string().contains("/proc/"), "{error}");
}

#[test]
fn a_plugin_that_needs_a_newer_c_library_is_refused_before_it_is_mapped() {
    let (_folder, path) = file(&with_string(b"GLIBC_2.34\0", b"GLIBC_9.87\0"));
    let error = Loader::new().inspect(&path).unwrap_err();
    assert_eq!(error.kind(), LoadErrorKind::MissingSymbolVersion);
    let error = refused(&path, LoadErrorKind::MissingSymbolVersion);
    assert!(error.message().contains("GLIBC_9.87"), "{error}");
}

#[test]
fn a_plugin_that_needs_another_version_of_another_library_is_refused() {
    let (_folder, path) = file(&with_string(b"GCC_4.2.0\0", b"GCC_4.2.9\0"));
    refused(&path, LoadErrorKind::MissingSymbolVersion);
}

#[test]
fn a_plugin_with_an_undefined_symbol_is_refused_and_the_symbol_named() {
    let (_folder, path) = file(&with_string(
        b"\0pthread_key_create\0",
        b"\0pthread_key_dreamt\0",
    ));
    let error = refused(&path, LoadErrorKind::Link);
    assert!(error.message().contains("pthread_key_dreamt"), "{error}");
    assert!(!error.to_string().contains("/proc/"), "{error}");
}

#[test]
fn after_each_refusal_the_next_good_file_at_that_path_is_loaded() {
    let good = rust("good");
    let missing = with_string(b"libgcc_s.so.1\0", b"libgone.so.99\0");
    let (_folder, path) = file(&missing);
    for turn in 0..5 {
        // The refused file's descriptor is closed, and its number is used again for the next one.
        fs::write(&path, &missing).unwrap();
        refused(&path, LoadErrorKind::MissingLibrary);
        fs::write(&path, distinct(&good, &format!("after refusal {turn}"))).unwrap();
        let loaded = Loader::new().load(&path).unwrap();
        assert_eq!(count(&open(&loaded, "counter")), 1);
    }
}
