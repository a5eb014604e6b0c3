//! The secrets of all that was opened in this process: a plugin may say them in a record or a panic, of which nobody
//! knows for which of its instances it was made.

use std::sync::LazyLock;

use parking_lot::RwLock;
use serde_json::Value;

use super::Secrets;

/// How many are kept, the newest: those that were changed long ago are none any more.
const MOST: usize = 1024;

static WITHHELD: LazyLock<RwLock<Secrets>> = LazyLock::new(RwLock::default);

/// From now on no record of a plugin holds these.
pub(crate) fn withhold(secrets: &Secrets) {
    let mut withheld = WITHHELD.write();
    withheld.extend(secrets);
    withheld.keep_newest(MOST);
}

/// From now on no record of a plugin holds the secrets in these arguments, a JSON object.
pub(crate) fn withhold_arguments(arguments: &str) {
    let mut secrets = Secrets::default();
    // What is no object is refused by whoever reads it.
    if let Ok(Value::Object(table)) = serde_json::from_str(arguments) {
        secrets.add_table(&table, false);
    }
    withhold(&secrets);
}

/// The text without what is withheld.
pub(crate) fn without_withheld(text: &str) -> String {
    WITHHELD.read().mask(text)
}
