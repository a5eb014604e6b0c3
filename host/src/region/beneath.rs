//! What lies under a key while its value is created.

use super::Region;
use super::read::Found;

/// What the last reads of a key told of what lies there.
#[derive(Clone, Copy, Default)]
pub(super) struct Beneath {
    /// It is, for all that is known, pickled.
    pub(super) foreign: bool,
    /// The last read failed.
    pub(super) unread: bool,
}

impl Beneath {
    /// By the first read.
    pub(super) fn found<T: Send + Sync + 'static>(region: &Region, found: &Found<T>) -> Self {
        Self::default().read_again(region, found)
    }

    /// By another read.
    pub(super) fn read_again<T: Send + Sync + 'static>(
        self,
        region: &Region,
        found: &Found<T>,
    ) -> Self {
        Self {
            foreign: region.is_foreign(found, self.foreign),
            unread: found.is_unread(),
        }
    }
}
