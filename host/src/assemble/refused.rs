use std::fmt;

use dogpile_plugin_api::Error as PluginError;

use crate::manifest::Unresolved;
use crate::{Error, ErrorKind};

/// One thing that is wrong with a region or the templates' cache, with the place in its configuration.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) kind: ErrorKind,
    /// What an operator can search for, where a plugin is at fault.
    pub(crate) code: Option<&'static str>,
    pub(crate) place: Vec<String>,
    /// Whether the key is wrong, not its value.
    pub(crate) about_key: bool,
    pub(crate) message: String,
    pub(crate) remedy: String,
    /// Whether its cause is not what is configured: it may go without a change of that.
    pub(crate) outside: bool,
    /// What the plugin said.
    pub(super) source: Option<PluginError>,
}

/// Why a region could not be opened: everything that is wrong with it, without secrets. Never empty.
#[derive(Debug)]
pub(crate) struct Refusals(pub(crate) Vec<Refused>);

impl Refusals {
    /// As an error of what was configured in code: ``region `users` ``.
    pub(crate) fn into_error(mut self, whose: &str) -> Error {
        let told: Vec<String> = self.0.iter().map(Refused::to_string).collect();
        let message = format!("{whose}: {}", told.join("; "));
        let first = self.0.swap_remove(0);
        match first.source {
            Some(source) => Error::with_source(first.kind, message, source),
            None => Error::new(first.kind, message),
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place.join("."), self.message)?;
        if let Some(code) = self.code {
            write!(f, " [{code}]")?;
        }
        write!(f, "; {}", self.remedy)
    }
}

impl From<Refused> for Refusals {
    fn from(refused: Refused) -> Self {
        Self(vec![refused])
    }
}

impl Refused {
    pub(crate) fn new(kind: ErrorKind, place: &[&str], message: String, remedy: String) -> Self {
        Self {
            kind,
            code: None,
            place: place.iter().map(|&part| part.to_owned()).collect(),
            about_key: false,
            message,
            remedy,
            outside: false,
            source: None,
        }
    }

    pub(super) fn with_code(mut self, code: &'static str) -> Self {
        self.code = Some(code);
        self
    }

    pub(super) fn of_outside(mut self, outside: bool) -> Self {
        self.outside = outside;
        self
    }

    pub(super) fn unresolved(place: &[&str], unresolved: Unresolved) -> Self {
        let Unresolved { message, remedy } = unresolved;
        Self::new(ErrorKind::PluginNotFound, place, message, remedy)
    }
}
