//! What nothing can catch, as plugin-api's documentation and `docs/plugins-that-misbehave.md` list it: each ends the
//! process, here a child of the test's.

use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus};

use dogpile::loader::Loader;

use crate::fixtures::{file, key, open_with, rust};
use crate::lies::arguments;

const INNER: &str = "DOGPILE_TEST_LIE";

const SIGABRT: i32 = 6;
const SIGSEGV: i32 = 11;

/// In a child process, tells that lie in `get`; how that ended.
fn ends(test: &str, lie: &str) -> ExitStatus {
    if let Some(lie) = std::env::var_os(INNER) {
        tell(lie.to_str().unwrap());
        // It is caught after all.
        std::process::exit(0);
    }
    // The outer test must have built it: a child that is killed leaves no message.
    rust("lies");
    let output = Command::new(std::env::current_exe().unwrap())
        .args([test, "--exact", "--nocapture"])
        .env(INNER, lie)
        .output()
        .unwrap();
    assert!(!output.status.success(), "{lie}: {output:?}");
    output.status
}

fn tell(lie: &str) {
    let (_folder, path) = file(&rust("lies"));
    let loaded = Loader::new().load(&path).unwrap();
    let lies = open_with(&loaded, "lies", &arguments(lie, "get")).unwrap();
    let _told = lies.get(&key("a"));
}

#[test]
fn a_segmentation_fault_ends_the_process() {
    let status = ends(
        "uncatchable::a_segmentation_fault_ends_the_process",
        "segfaults",
    );
    assert_eq!(status.signal(), Some(SIGSEGV));
}

#[test]
fn abort_ends_the_process() {
    let status = ends("uncatchable::abort_ends_the_process", "aborts");
    assert_eq!(status.signal(), Some(SIGABRT));
}

#[test]
fn exit_ends_the_process_with_the_plugins_status() {
    let test = "uncatchable::exit_ends_the_process_with_the_plugins_status";
    assert_eq!(ends(test, "exits").code(), Some(7));
}

#[test]
fn a_stack_overflow_ends_the_process() {
    let test = "uncatchable::a_stack_overflow_ends_the_process";
    let signal = ends(test, "overflows_the_stack").signal();
    // The one where the thread is known to the runtime that overflows, the other where it is not.
    assert!(
        [Some(SIGABRT), Some(SIGSEGV)].contains(&signal),
        "{signal:?}"
    );
}

#[test]
fn a_panic_while_unwinding_ends_the_process() {
    let test = "uncatchable::a_panic_while_unwinding_ends_the_process";
    assert_eq!(ends(test, "panics_while_unwinding").signal(), Some(SIGABRT));
}

#[test]
fn a_panic_out_of_an_extern_function_of_the_plugins_own_ends_the_process() {
    let test = "uncatchable::a_panic_out_of_an_extern_function_of_the_plugins_own_ends_the_process";
    assert_eq!(ends(test, "panics_out_of_c").signal(), Some(SIGABRT));
}

#[test]
fn a_panic_in_the_drop_of_a_thread_local_ends_the_process() {
    let test = "uncatchable::a_panic_in_the_drop_of_a_thread_local_ends_the_process";
    assert_eq!(
        ends(test, "panics_in_a_thread_local").signal(),
        Some(SIGABRT)
    );
}
