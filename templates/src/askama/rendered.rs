use std::fmt;
use std::sync::Arc;

use crate::cache::{Part, Rendered};

/// The error of a render for which a caller waited, who has no text either: askama's own error, told again. Who rendered
/// has that error itself.
///
/// It is in an [`askama::Error::Custom`](::askama::Error::Custom).
#[derive(Clone, Debug)]
pub struct RenderFailed(Arc<str>);

impl fmt::Display for RenderFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for RenderFailed {}

/// The text of a part, from the cache or rendered. An error is the render's own.
pub(super) fn rendered(
    part: Part<'_>,
    render: impl FnOnce() -> ::askama::Result<String>,
) -> ::askama::Result<Rendered> {
    let mut own = None;
    let made = part.get_or_create(|| {
        render().map_err(|error| {
            let told = RenderFailed(error.to_string().into());
            own = Some(error);
            told
        })
    });
    made.map_err(|of_another| own.unwrap_or_else(|| ::askama::Error::custom(of_another)))
}
