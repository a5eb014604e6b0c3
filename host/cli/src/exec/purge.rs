//! `exec --purge`.

use anyhow::Result;

use super::cache::Cache;
use super::options::Options;
use crate::outcome::Outcome;

pub(super) fn run(options: &Options) -> Result<Outcome> {
    Cache::own(options, None)?.region.clear()?;
    Ok(Outcome::Done)
}
