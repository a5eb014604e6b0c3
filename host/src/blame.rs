//! What is told of a plugin that failed: the code to search for, and what an operator can do.

use dogpile_plugin_api::{Error, ErrorKind};
use serde_json::{Map, Value};

use crate::loader::OpenError;
use crate::secrets::without_secrets;

/// The error with its code. Where nothing but another plugin helps, it says so, and what else could be done:
/// `give the region another backend`.
pub(crate) fn told(error: &Error, otherwise: &str) -> String {
    let code = error.kind().code();
    match error.kind() {
        ErrorKind::Panic | ErrorKind::Contract => {
            format!("{error} [{code}]; the fault is the plugin's: replace it, or {otherwise}")
        }
        _ => format!("{error} [{code}]"),
    }
}

/// Logs that what has that title failed to close. The error is without secrets.
pub(crate) fn not_closed(title: &str, error: &OpenError) {
    let code = error.code();
    tracing::warn!(target: "dogpile.reload", code, %error, "{title} failed to close");
}

/// Logs that what has that title is tried again later.
pub(crate) fn not_reopened(title: &str, error: &OpenError) {
    let code = error.code();
    tracing::warn!(target: "dogpile.cache", code, %error, "{title} does not open again yet");
}

/// Logs that what has that title is not reopened while an earlier attempt at it goes on.
pub(crate) fn opens_still(title: &str) {
    tracing::warn!(
        target: "dogpile.cache",
        "{title} is not opened again until a call ends that took too long to open it: see what it waits for; if it waits for \
         ever, change its arguments, or restart"
    );
}

/// Logs that what has that title and those arguments failed as it was dropped: nobody else can be told.
pub(crate) fn failed_drop(title: &str, arguments: &Map<String, Value>, error: Error) {
    let error = error.map_messages(|text| without_secrets(text, arguments));
    tracing::error!(
        target: "dogpile.cache", code = error.kind().code(), %error,
        "{title} failed as it was dropped; the fault is the plugin's: replace it"
    );
}
