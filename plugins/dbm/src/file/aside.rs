use std::fs;

use dogpile_plugin_api::tracing;

use super::places::{Places, explained};
use crate::failure::Failure;

/// Moves a damaged data file out of the way, over the one before it, and tells of it.
pub(crate) fn move_aside(places: &Places, why: &str) -> Result<(), Failure> {
    fs::rename(&places.data, &places.damaged).map_err(|error| explained(&places.data, &error))?;
    tracing::error!(
        file = %places.data.display(), moved_to = %places.damaged.display(), why,
        "a damaged file was moved aside: its entries are lost, and a new one is begun"
    );
    Ok(())
}
