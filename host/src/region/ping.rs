//! Whether the storage answers, and which it is.

use super::Region;
use crate::Result;
use crate::registry::configured;

impl Region {
    /// The name of the backend under the region's proxies.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::RegionNotConfigured`](crate::ErrorKind::RegionNotConfigured).
    pub fn actual_backend(&self) -> Result<String> {
        let snapshot = self.registry().load();
        let region = configured(&snapshot, self.slot())?;
        Ok(region.instance.base().name.clone())
    }

    /// Whether the region's backend answers. Blocks for as long as the backend takes to find out.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Backend`](crate::ErrorKind::Backend) if it does not.
    pub fn ping(&self) -> Result<()> {
        let snapshot = self.registry().load();
        let region = configured(&snapshot, self.slot())?;
        let answered = region.instance.backend.ping();
        answered.map_err(|error| self.call_failed(region, "ping", error))
    }
}
