//! What must not be shown of a configuration, and the one place where texts are cleared of it.
//!
//! A secret is the value of a key that names one or who logs in (`names`), a credential inside of a string
//! (`credentials`), and what an interpolation gave. `source` finds the first two in the text of a manifest, right or
//! damaged; `known` knows all three by their values, and clears messages of them; `withheld` are those of all that this
//! process has opened, which plugins may put into their records and panics.
//!
//! The value of a key that nobody knows is hidden wherever the key is shown, whatever it looks like. An error about such a
//! key is about its name: the caret and "did you mean" say all that its reader needs, who has the file. What is gained by
//! showing the value is little, and what is lost, if it was a secret under a name that no list has (`pwd2`, `shibboleth`, a
//! slip in a plugin's own word for one), cannot be taken back out of logs, status and mails.

mod credentials;
mod known;
mod names;
mod source;
mod withheld;

pub(crate) use known::Secrets;
pub(crate) use names::{names_a_secret, names_a_user};
pub(crate) use source::{readable, secret_bytes, value_without_credentials, without_credentials};
pub(crate) use withheld::{withhold, withhold_arguments, without_withheld};

use serde_json::{Map, Value};

/// What is shown instead of a secret.
pub(crate) const MASK: &str = "***";

/// A text about what has these arguments, such as a plugin's error, without the secrets in them and those that are withheld:
/// what stands under a key such as `password` or in a URL's login is `***`.
pub fn without_secrets(text: &str, arguments: &Map<String, Value>) -> String {
    let mut secrets = Secrets::default();
    secrets.add_table(arguments, false);
    without_withheld(&secrets.mask(text))
}
