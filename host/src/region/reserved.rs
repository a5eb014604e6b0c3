//! Keys that are not the program's.

use super::Region;
use super::mangle::BackendKey;
use crate::records::{self, MARK};
use crate::{Error, ErrorKind, Result};

impl Region {
    /// An error if a region's record of invalidations lies under the key: whatever is stored there would undo
    /// invalidations in all processes. Asked before a key is created, stored or deleted; a hit does not ask.
    pub(super) fn refuse_record(&self, key: &BackendKey<'_>) -> Result<()> {
        if key.text().contains(MARK) {
            self.refuse_marked(key)
        } else {
            Ok(())
        }
    }

    #[cold]
    fn refuse_marked(&self, key: &BackendKey<'_>) -> Result<()> {
        let snapshot = self.registry().load();
        let mut regions = snapshot.regions();
        let of_record = |region: &&_| records::lies_under(region, key.text());
        let Some(region) = regions.find(of_record) else {
            return Ok(());
        };
        Err(Error::new(
            ErrorKind::ReservedKey,
            format!(
                "region `{}`: the key {:?} is not the program's: under {:?} lies the record by which processes tell each \
                 other that region `{}` was invalidated; use another key, or give one of the regions a `key_prefix`",
                self.name(),
                key.shown(),
                dogpile_lock::shown(key.text()),
                region.config.name,
            ),
        ))
    }
}
