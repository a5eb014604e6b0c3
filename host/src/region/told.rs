//! What is logged of creations, never with what they give: their spans, their ends and their failures.

use dogpile_lock::shown;
use tracing::Span;

use super::Region;
use super::mangle::BackendKey;
use crate::Error;

/// The creation that one span is about.
pub(super) enum Told<'a> {
    One(&'a BackendKey<'a>),
    /// The keys of a call with several, as their numbers.
    Several(&'a [BackendKey<'a>], &'a [usize]),
}

impl Told<'_> {
    /// The span in which the creator runs. Its texts are made only if it is enabled.
    pub(super) fn span(&self, region: &Region) -> Span {
        match self {
            Self::One(key) => tracing::debug_span!(
                target: "dogpile.cache", "creation", region = region.name(), key = key.shown()
            ),
            Self::Several(keys, numbers) => tracing::debug_span!(
                target: "dogpile.cache", "creation", region = region.name(), count = numbers.len(),
                keys = listed(keys, numbers)
            ),
        }
    }

    /// It ended well, having taken so many seconds.
    pub(super) fn created(&self, region: &Region, span: &Span, seconds: f64) {
        match self {
            Self::One(key) => tracing::debug!(
                target: "dogpile.cache", parent: span, region = region.name(), key = key.shown(), seconds, "created"
            ),
            Self::Several(keys, numbers) => tracing::debug!(
                target: "dogpile.cache", parent: span, region = region.name(), count = numbers.len(),
                keys = listed(keys, numbers), seconds, "created"
            ),
        }
    }

    /// Its creator failed after so many seconds.
    #[cold]
    pub(super) fn failed(&self, region: &Region, span: &Span, seconds: f64, error: &Error) {
        match self {
            Self::One(key) => tracing::debug!(
                target: "dogpile.cache", parent: span, region = region.name(), key = key.shown(), seconds, %error,
                "the creation failed"
            ),
            Self::Several(keys, numbers) => tracing::debug!(
                target: "dogpile.cache", parent: span, region = region.name(), count = numbers.len(),
                keys = listed(keys, numbers), seconds, %error, "the creation failed"
            ),
        }
    }
}

/// As many of the keys as fit in what is logged of one.
fn listed(keys: &[BackendKey<'_>], numbers: &[usize]) -> String {
    let mut text = String::new();
    for number in numbers {
        let before = text.len();
        if before > 0 {
            text.push_str(", ");
        }
        text.push_str(keys[*number].shown());
        if shown(&text).len() < text.len() {
            break;
        }
    }
    shown(&text).to_owned()
}
