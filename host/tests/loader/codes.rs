//! Each kind of failure has a code of its own, and `docs/plugins-that-misbehave.md` explains it.

use std::collections::HashSet;
use std::fs;
use std::path::Path;

use dogpile::loader::{LoadErrorKind as Load, OpenError};
use dogpile_plugin_api::ErrorKind as Call;

const LOAD: &[Load] = &[
    Load::NotFound,
    Load::NotAFile,
    Load::TooLarge,
    Load::Empty,
    Load::Untrusted,
    Load::WrongDigest,
    Load::Changing,
    Load::Io,
    Load::NotElf,
    Load::WrongClass,
    Load::WrongMachine,
    Load::NotALibrary,
    Load::Truncated,
    Load::Damaged,
    Load::MissingSymbolVersion,
    Load::MissingLibrary,
    Load::Link,
    Load::Memory,
    Load::NotAPlugin,
    Load::SeveralPlugins,
    Load::WrongEpoch,
    Load::Aborts,
    Load::Layout,
    Load::Start,
    Load::Description,
    Load::OfferedTwice,
    Load::TimedOut,
];

const CALL: &[Call] = &[
    Call::Other,
    Call::Arguments,
    Call::Unavailable,
    Call::Unsupported,
    Call::Refused,
    Call::Panic,
    Call::Contract,
    Call::Suspended,
    Call::Timeout,
];

#[test]
fn each_code_is_that_of_one_kind_and_is_explained_once() {
    let opened = [
        OpenError::TimedOut {
            name: String::new(),
            timeout: std::time::Duration::ZERO,
        },
        OpenError::NoThread(std::sync::Arc::new(std::io::Error::other(""))),
    ];
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/plugins-that-misbehave.md");
    let page = fs::read_to_string(page).unwrap();
    let mut seen = HashSet::new();
    let load = LOAD.iter().map(|kind| kind.code());
    let call = CALL.iter().map(|kind| kind.code());
    for code in load
        .chain(call)
        .chain(opened.iter().map(OpenError::code))
        .chain(["plugin-kills-the-process"])
    {
        assert!(seen.insert(code), "{code} is that of two kinds");
        let rows = page
            .lines()
            .filter(|line| line.starts_with(&format!("| `{code}` |")));
        assert_eq!(rows.count(), 1, "{code}");
    }
}
