mod loading {
    pub fn helper() -> u64 {
        7
    }
}

#[dogpile::cached(region = "users")]
fn load(id: u64) -> u64 {
    id + loading::helper()
}

/// A constant is no type.
const PAGE: u64 = 1;

#[dogpile::cached_multi(region = "users")]
#[allow(non_snake_case)]
fn Page(ids: &[u64]) -> Vec<u64> {
    ids.iter().map(|id| id + PAGE).collect()
}

fn main() {}
