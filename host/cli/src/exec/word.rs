//! Word of runs that are not kept, for those who waited for them.

use std::time::{Duration, SystemTime};

use dogpile::{Region, Result};
use serde::{Deserialize, Serialize};

use super::key::Key;
use super::record::Record;
use super::time::nanoseconds;

/// How long somebody may take from the end of a run until he looks for word of it.
const KEPT: Duration = Duration::from_mins(1);

/// How long a run that failed is left alone by those who have an older output.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// What became of a run that failed, or printed more than is kept.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Word {
    /// In nanoseconds since 1970.
    ended: u64,
    /// None if it is too large: then whoever wants it has to run it, and need not wait for another to do so.
    pub(super) record: Option<Record>,
}

impl Word {
    pub(super) fn now(record: Option<Record>) -> Self {
        Self {
            ended: nanoseconds(SystemTime::now()),
            record,
        }
    }

    /// To be left while the key's creation lock is held, so that who gets that next finds it.
    pub(super) fn leave(self, region: &Region, key: &Key) -> Result<()> {
        let word = key.word();
        let entry = region.entry(&word).expiration_from(|_: &Self| KEPT.into());
        entry.set(self).map(drop)
    }

    pub(super) fn find(region: &Region, key: &Key) -> Result<Option<Self>> {
        let word = region.get::<Self>(&key.word())?;
        Ok(word.map(|word| (*word).clone()))
    }

    /// Whether the run was under way when somebody came at that time, or later: then it is his too.
    pub(super) fn is_for(&self, came: SystemTime) -> bool {
        self.ended >= nanoseconds(came)
    }

    /// Whether it is too early for another try.
    pub(super) fn is_recent(&self) -> bool {
        let age = nanoseconds(SystemTime::now()).abs_diff(self.ended);
        Duration::from_nanos(age) < RETRY_AFTER
    }
}
