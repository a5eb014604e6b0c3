use std::iter;
use std::sync::OnceLock;

use dogpile::{Region, Templates};

/// The regions that were used, each by its name. They are few, and none is ever removed: so whoever looks for one takes no
/// lock and gets the handle itself.
#[derive(Default)]
pub(super) struct Regions(OnceLock<Box<Known>>);

struct Known {
    name: String,
    region: Region,
    others: Regions,
}

impl Regions {
    pub(super) fn all(&self) -> impl Iterator<Item = &Region> {
        let first = self.0.get();
        let known = iter::successors(first, |known| known.others.0.get());
        known.map(|known| &known.region)
    }

    /// The region, from the host if it was not used before.
    pub(super) fn get(&self, host: &Templates, name: &str) -> dogpile::Result<&Region> {
        let mut regions = self;
        loop {
            while let Some(known) = regions.0.get() {
                if known.name == name {
                    return Ok(&known.region);
                }
                regions = &known.others;
            }
            // Another may be first here, with this region or another.
            let new = Known {
                name: name.to_owned(),
                region: host.region(name)?,
                others: Self::default(),
            };
            let _ = regions.0.set(Box::new(new));
        }
    }
}
