//! The host of the process, and the regions that cached functions have found in it.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use parking_lot::RwLock;

use super::place::RegionRef;
use crate::inner::Inner;
use crate::region::Region;
use crate::{Error, ErrorKind, Result};

static INSTALLED: ArcSwapOption<Installed> = ArcSwapOption::const_empty();

struct Installed {
    inner: Arc<Inner>,
    /// Handles are looked up by name once, and not counted on each call.
    regions: RwLock<HashMap<&'static str, Arc<Region>>>,
}

pub(crate) fn install(inner: &Arc<Inner>) -> Result<()> {
    let new = Arc::new(Installed {
        inner: Arc::clone(inner),
        regions: RwLock::default(),
    });
    let before = INSTALLED.compare_and_swap(&None::<Arc<Installed>>, Some(new));
    match &*before {
        Some(other) if !Arc::ptr_eq(&other.inner, inner) => Err(Error::new(
            ErrorKind::HostAlreadyInstalled,
            "another host is installed in this process; drop it first, or give cached functions of this host a region \
             by an expression: `#[cached(region = &users)]`",
        )),
        _ => Ok(()),
    }
}

/// Nothing if another host is installed, or none.
pub(crate) fn uninstall(inner: &Arc<Inner>) {
    let current = INSTALLED.load();
    if current
        .as_ref()
        .is_some_and(|installed| Arc::ptr_eq(&installed.inner, inner))
    {
        INSTALLED.compare_and_swap(&current, None);
    }
}

/// A region of the installed host.
pub fn installed(name: &'static str) -> Result<RegionRef<'static>> {
    match &*INSTALLED.load() {
        Some(installed) => installed.region(name).map(RegionRef::Shared),
        None => Err(Error::new(
            ErrorKind::HostNotInstalled,
            format!(
                "no host is installed, of which region `{name}` could be: call `Host::install` first"
            ),
        )),
    }
}

impl Installed {
    fn region(&self, name: &'static str) -> Result<Arc<Region>> {
        if let Some(region) = self.regions.read().get(name) {
            return Ok(Arc::clone(region));
        }
        let region = Arc::new(self.inner.region(name)?);
        Ok(Arc::clone(
            self.regions.write().entry(name).or_insert(region),
        ))
    }
}
