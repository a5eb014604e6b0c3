use std::fmt;
use std::ops::Deref;
use std::time::Duration;

use dogpile::{Cached, Source};
use dogpile_plugin_api::TemplateOutcome;

/// A text, and where it came from. It derefs to `&str`; a clone of one from the cache copies nothing.
#[derive(Clone)]
pub struct Rendered {
    text: Text,
    outcome: TemplateOutcome,
}

#[derive(Clone)]
enum Text {
    Cached(Cached<String>),
    Own(String),
}

impl Rendered {
    pub(super) fn cached(text: Cached<String>) -> Self {
        let outcome = match text.source() {
            Source::Fresh => TemplateOutcome::Fresh,
            Source::Stale => TemplateOutcome::Stale,
            Source::Created => TemplateOutcome::Created,
            Source::Waited => TemplateOutcome::Waited,
        };
        Self {
            text: Text::Cached(text),
            outcome,
        }
    }

    pub(crate) fn uncached(text: String, outcome: TemplateOutcome) -> Self {
        Self {
            text: Text::Own(text),
            outcome,
        }
    }

    /// What came of the request.
    pub fn outcome(&self) -> TemplateOutcome {
        self.outcome
    }

    /// How long ago it was rendered.
    pub fn age(&self) -> Duration {
        match &self.text {
            Text::Cached(text) => text.age(),
            Text::Own(_) => Duration::ZERO,
        }
    }

    /// The text as a string of its own: a copy, if it is in the cache.
    pub fn into_string(self) -> String {
        match self.text {
            Text::Cached(text) => text.to_string(),
            Text::Own(text) => text,
        }
    }
}

impl Deref for Rendered {
    type Target = str;

    fn deref(&self) -> &str {
        match &self.text {
            Text::Cached(text) => text,
            Text::Own(text) => text,
        }
    }
}

/// Its bytes, so that it can be sent without a copy.
impl AsRef<[u8]> for Rendered {
    fn as_ref(&self) -> &[u8] {
        self.as_bytes()
    }
}

impl fmt::Display for Rendered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self)
    }
}

impl fmt::Debug for Rendered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rendered")
            .field("text", &&**self)
            .field("outcome", &self.outcome)
            .finish()
    }
}
