use std::fs;

use dogpile_plugin_api::tracing;

use super::places::{Places, explained};
use crate::LOST;
use crate::failure::Failure;

/// Moves a damaged data file out of the way, over the one before it, and tells of it.
pub(crate) fn move_aside(places: &Places, why: &str) -> Result<(), Failure> {
    fs::rename(&places.data, &places.damaged).map_err(|error| explained(&places.data, &error))?;
    tracing::error!(
        target: LOST,
        "{}: it is damaged, and was moved to {}: its entries are lost, and a new one is begun ({why})",
        places.data.display(),
        places.damaged.display()
    );
    Ok(())
}
