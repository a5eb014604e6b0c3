//! Where the value of a call is.

use std::ops::Deref;
use std::sync::Arc;

use crate::Result;
use crate::key_generator::FunctionCall;
use crate::region::{Entry, Expiration, Region};
use crate::slot::Tags;

/// A region for the length of a call.
pub enum RegionRef<'r> {
    /// The caller's.
    Borrowed(&'r Region),
    /// A handle made for this call.
    Owned(Region),
    /// Of the installed host.
    Shared(Arc<Region>),
}

impl Deref for RegionRef<'_> {
    type Target = Region;

    fn deref(&self) -> &Region {
        match self {
            Self::Borrowed(region) => region,
            Self::Owned(region) => region,
            Self::Shared(region) => region,
        }
    }
}

/// What the option `region` may be, beside a name.
#[diagnostic::on_unimplemented(
    message = "`region` cannot be a `{Self}`",
    label = "not a region",
    note = "write the name of a region of the installed host in quotes, or an expression that gives a `Region` or a \
            `&Region`"
)]
pub trait IntoRegion<'r> {
    /// The region.
    fn into_region(self) -> RegionRef<'r>;
}

impl IntoRegion<'static> for Region {
    fn into_region(self) -> RegionRef<'static> {
        RegionRef::Owned(self)
    }
}

impl<'r> IntoRegion<'r> for &'r Region {
    fn into_region(self) -> RegionRef<'r> {
        RegionRef::Borrowed(self)
    }
}

/// What an option that gives a time may be, beside text and a number.
#[diagnostic::on_unimplemented(
    message = "a `{Self}` is no expiration time",
    label = "not a duration",
    note = "an expiration time is text with a unit (\"5m\"), a number of seconds, \"never\", a `Duration`, an \
            `Expiration`, or a function without arguments that gives one of these two"
)]
pub trait IntoExpiration {
    /// The time.
    fn into_expiration(self) -> Expiration;
}

impl IntoExpiration for Expiration {
    fn into_expiration(self) -> Expiration {
        self
    }
}

impl IntoExpiration for std::time::Duration {
    fn into_expiration(self) -> Expiration {
        self.into()
    }
}

impl<F: Fn() -> E, E: Into<Expiration>> IntoExpiration for F {
    fn into_expiration(self) -> Expiration {
        self().into()
    }
}

/// The region and the key of a call, and how long its value counts.
pub struct Place<'r> {
    pub(super) region: RegionRef<'r>,
    pub(super) key: String,
    pub(super) expiration: Option<Expiration>,
    tags: Tags,
}

impl<'r> Place<'r> {
    /// The place of one call; an error if the region or the key cannot be had.
    pub fn find(
        region: Result<RegionRef<'r>>,
        key: impl FnOnce(&Region) -> Result<String>,
        expiration: Option<Expiration>,
    ) -> Result<Self> {
        let region = region?;
        Ok(Self {
            key: key(&region)?,
            region,
            expiration,
            tags: Tags::NONE,
        })
    }

    /// What is stored there has these tags.
    #[must_use]
    pub fn tagged<T: Into<Box<str>>>(mut self, tags: impl IntoIterator<Item = T>) -> Self {
        self.tags = Tags::new(tags);
        self
    }

    /// The same, for as long as wanted.
    #[must_use]
    pub fn into_owned(self) -> Place<'static> {
        let region = match self.region {
            RegionRef::Borrowed(region) => RegionRef::Owned(region.clone()),
            RegionRef::Owned(region) => RegionRef::Owned(region),
            RegionRef::Shared(region) => RegionRef::Shared(region),
        };
        Place {
            region,
            key: self.key,
            expiration: self.expiration,
            tags: self.tags,
        }
    }

    /// The key.
    pub fn into_key(self) -> String {
        self.key
    }

    pub(super) fn entry(&self) -> Entry<'_> {
        let entry = self.region.entry(&self.key).tagged(self.tags.clone());
        match self.expiration {
            Some(expiration) => entry.expiration_time(expiration),
            None => entry,
        }
    }

    /// Where an error is kept instead of the value.
    pub(super) fn key_of_error(&self) -> String {
        format!("{}#error", self.key)
    }
}

/// The key that the region's generator makes.
pub fn key(region: &Region, call: &FunctionCall<'_>) -> Result<String> {
    region.slot().key_generators.key(call)
}
