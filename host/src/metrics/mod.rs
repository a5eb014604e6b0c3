//! What monitoring reads of a host: every number has one name, whoever asks.

mod family;
mod of_host;
mod of_regions;
#[cfg(feature = "opentelemetry")]
mod opentelemetry;
mod text;
mod view;

use self::family::Family;
#[cfg(feature = "opentelemetry")]
pub(crate) use self::opentelemetry::observe;
pub(crate) use self::text::text;

/// The `Content-Type` of [`Host::metrics_text`](crate::Host::metrics_text).
pub const METRICS_CONTENT_TYPE: &str = prometheus_client::encoding::prometheus_text::CONTENT_TYPE;

/// All metrics.
fn families() -> impl Iterator<Item = &'static Family> {
    of_host::FAMILIES.iter().chain(of_regions::FAMILIES)
}
