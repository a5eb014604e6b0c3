use std::time::Duration;

use dogpile::Expiration;
use dogpile_plugin_api::Scalar;

/// What to write for an expiration time in a template.
pub(crate) const EXPIRATION: &str =
    "Write seconds, or a text such as \"90s\", \"5m\", \"2h\", \"never\".";

/// The expiration time that a fragment's argument means.
pub(crate) fn expiration(scalar: &Scalar) -> Option<Expiration> {
    if *scalar == Scalar::Text("never".to_owned()) {
        return Some(Expiration::Never);
    }
    let time: Option<Duration> = scalar.duration();
    time.map(Expiration::After)
}
