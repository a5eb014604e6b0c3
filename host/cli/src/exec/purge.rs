//! `exec --purge`.

use anyhow::Result;

use super::options::Options;
use super::own;
use crate::outcome::Outcome;

pub(super) fn run(options: &Options) -> Result<Outcome> {
    own::with(options, |cache, _| Ok(cache.region.clear()?))?;
    Ok(Outcome::Done)
}
