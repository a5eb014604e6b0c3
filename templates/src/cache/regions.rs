use dogpile::{Region, Templates};

use super::few::Few;

/// The regions that were used, each by its name.
#[derive(Default)]
pub(super) struct Regions(Few<Region>);

impl Regions {
    pub(super) fn all(&self) -> impl Iterator<Item = &Region> {
        self.0.iter()
    }

    /// The region, from the host if it was not used before.
    pub(super) fn get(&self, host: &Templates, name: &str) -> dogpile::Result<&Region> {
        let is_it = |region: &Region| region.name() == name;
        let found = self.0.get_or_add(usize::MAX, is_it, || host.region(name));
        found.map(|region| region.expect("there is room for all"))
    }
}
