//! From a caller's key to the backend's: the manglers in their order, then the prefix.

use std::borrow::Cow;

use dogpile_lock::shown;
use dogpile_plugin_api::Key;

use crate::blame::told;
use crate::mangler::Mangler;
use crate::registry::Configured;
use crate::{Error, ErrorKind, Result, keys};

/// A key as the backend sees it, with its hash.
pub(crate) struct BackendKey<'a> {
    text: Cow<'a, str>,
    /// As the caller spells it, if that is another text.
    own: Option<&'a str>,
    hash: u64,
}

impl<'a> BackendKey<'a> {
    #[inline]
    pub(crate) fn new(region: &Configured, key: &'a str) -> Result<Self> {
        if region.plain_keys {
            return Ok(Self::plain(key));
        }
        let text = mangled(region, key)?;
        Ok(Self {
            hash: keys::hash(&text),
            text: Cow::Owned(text),
            own: Some(key),
        })
    }

    /// The key of a region with [`Configured::plain_keys`].
    #[inline]
    pub(crate) fn plain(key: &'a str) -> Self {
        Self {
            hash: keys::hash(key),
            text: Cow::Borrowed(key),
            own: None,
        }
    }

    /// The same key, of a text of its own.
    pub(crate) fn to_owned(&self) -> BackendKey<'static> {
        BackendKey {
            text: Cow::Owned(self.text.to_string()),
            own: None,
            hash: self.hash,
        }
    }

    #[inline]
    pub(crate) fn key(&self) -> Key<'_> {
        Key::new(&self.text, self.hash)
    }

    pub(crate) fn hash(&self) -> u64 {
        self.hash
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// The caller's key for a log, cut if it is long.
    pub(crate) fn shown(&self) -> &str {
        shown(self.own.unwrap_or(&self.text))
    }
}

#[cold]
fn failed(region: &Configured, mangler: &Mangler, error: dogpile_plugin_api::Error) -> Error {
    let error = mangler.without_secrets(error);
    let told = told(&error, "give the region another key mangler");
    let name = &region.config.name;
    Error::with_source(
        ErrorKind::Plugin,
        format!("region `{name}`: {mangler} failed: {told}"),
        error,
    )
}

fn mangled(region: &Configured, key: &str) -> Result<String> {
    let mut text = Cow::Borrowed(key);
    for mangler in &*region.manglers {
        let next = mangler
            .mangle(&text)
            .map_err(|error| failed(region, mangler, error))?;
        text = Cow::Owned(next);
    }
    let mut whole = String::with_capacity(region.config.key_prefix.len() + text.len());
    whole.push_str(&region.config.key_prefix);
    whole.push_str(&text);
    Ok(whole)
}
