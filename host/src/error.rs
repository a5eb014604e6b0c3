//! Everything that can go wrong, for callers of regions and of the host.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

/// The result of this crate's functions.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error: a kind to act on, a text to read, and what caused it. One pointer wide and cheap to clone, since all who
/// wait for a creation that fails get the same one.
#[derive(Clone)]
pub struct Error(Arc<Inner>);

struct Inner {
    kind: ErrorKind,
    message: String,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

/// What sort of failure it is.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// No region of that name is configured or declared.
    NoSuchRegion,
    /// The region is declared, but not configured yet.
    RegionNotConfigured,
    /// The region is configured already.
    RegionAlreadyConfigured,
    /// No plugin offers that backend or key mangler, or several do.
    PluginNotFound,
    /// A plugin could not be loaded or opened.
    Plugin,
    /// The configuration is wrong: the manifest, or what was given in code.
    Configuration,
    /// The backend failed, and the region's `on_backend_error` is `"fail"`.
    Backend,
    /// A region's record of invalidations lies under the key, which is neither stored nor removed.
    ReservedKey,
    /// The creator failed; [`Error::creator`] has its own error.
    Creator,
    /// The wait for another's creation would never have ended.
    Circle,
    /// The wait for another's creation took longer than `lock_wait`.
    LockWait,
    /// The value could not be serialised.
    Serializer,
    /// A value that is not serialisable was given to a region whose backend holds bytes.
    NotObjects,
    /// A soft invalidation of a region whose values never expire.
    NoExpirationTime,
    /// The program's own invalidation strategy failed; it is the error's source.
    Strategy,
    /// Callers of one key want it as different types.
    TypeMismatch,
    /// A cached function has a region of the installed host, and none is installed.
    HostNotInstalled,
    /// Another host is installed.
    HostAlreadyInstalled,
    /// The running host could not be asked, or refused.
    Admin,
}

impl ErrorKind {
    /// In the order of their discriminants.
    pub(crate) const ALL: [Self; 19] = [
        Self::NoSuchRegion,
        Self::RegionNotConfigured,
        Self::RegionAlreadyConfigured,
        Self::PluginNotFound,
        Self::Plugin,
        Self::Configuration,
        Self::Backend,
        Self::ReservedKey,
        Self::Creator,
        Self::Circle,
        Self::LockWait,
        Self::Serializer,
        Self::NotObjects,
        Self::NoExpirationTime,
        Self::Strategy,
        Self::TypeMismatch,
        Self::HostNotInstalled,
        Self::HostAlreadyInstalled,
        Self::Admin,
    ];

    /// Its name in metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::NoSuchRegion => "no_such_region",
            Self::RegionNotConfigured => "region_not_configured",
            Self::RegionAlreadyConfigured => "region_already_configured",
            Self::PluginNotFound => "plugin_not_found",
            Self::Plugin => "plugin",
            Self::Configuration => "configuration",
            Self::Backend => "backend",
            Self::ReservedKey => "reserved_key",
            Self::Creator => "creator",
            Self::Circle => "circle",
            Self::LockWait => "lock_wait",
            Self::Serializer => "serializer",
            Self::NotObjects => "not_objects",
            Self::NoExpirationTime => "no_expiration_time",
            Self::Strategy => "strategy",
            Self::TypeMismatch => "type_mismatch",
            Self::HostNotInstalled => "host_not_installed",
            Self::HostAlreadyInstalled => "host_already_installed",
            Self::Admin => "admin",
        }
    }
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, message: impl fmt::Display) -> Self {
        Self(Arc::new(Inner {
            kind,
            message: message.to_string(),
            source: None,
        }))
    }

    pub(crate) fn with_source(
        kind: ErrorKind,
        message: impl fmt::Display,
        source: impl Into<Box<dyn StdError + Send + Sync>>,
    ) -> Self {
        Self(Arc::new(Inner {
            kind,
            message: message.to_string(),
            source: Some(source.into()),
        }))
    }

    /// What sort of failure it is.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// What an operator can search for, where a plugin failed.
    pub fn code(&self) -> Option<&'static str> {
        let mut cause = self.source();
        while let Some(one) = cause {
            if let Some(error) = one.downcast_ref::<dogpile_plugin_api::Error>() {
                return Some(error.kind().code());
            }
            cause = one.source();
        }
        None
    }

    /// The creator's own error, if it is an `E`.
    pub fn creator<E: StdError + 'static>(&self) -> Option<&E> {
        if self.0.kind != ErrorKind::Creator {
            return None;
        }
        self.0.source.as_deref()?.downcast_ref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("message", &self.0.message)
            .field("source", &self.0.source)
            .finish()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0
            .source
            .as_deref()
            .map(|source| source as &(dyn StdError + 'static))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_listed_by_their_numbers_and_have_names_of_their_own() {
        let mut names: Vec<_> = ErrorKind::ALL.iter().map(|kind| kind.name()).collect();
        for (number, kind) in ErrorKind::ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, number);
        }
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), ErrorKind::ALL.len());
    }
}
