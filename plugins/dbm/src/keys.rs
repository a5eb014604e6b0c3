use std::path::Path;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use dogpile_plugin_api::Result;

use crate::arguments::DbmArguments;
use crate::file::{Disk, Live, Opening, Places};
use crate::store::Store;

/// The keys in the file of the backend `dbm` at `filename`, as the host gave them to it, of entries that may still be
/// wanted; in no order. For programs that show what is there: a backend itself is never asked for that.
///
/// The file is made if it is not there, and is otherwise left as it is. Blocks for the disk.
///
/// # Errors
///
/// Those of opening the backend with `filename` and no other argument, which `durability = "power"` needs.
pub fn keys(filename: &Path) -> Result<Vec<String>> {
    let arguments = DbmArguments::at(filename);
    arguments.check()?;
    let opening = Opening::new(Places::new(filename), &arguments, Arc::new(Disk))?;
    let live = Live::new(opening, None)?;
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let now = u64::try_from(now.as_nanos()).unwrap_or(u64::MAX);
    Ok(live.read(|store| store.keys(now))?)
}
