mod load {
    pub fn helper() -> u64 {
        7
    }
}

#[dogpile::cached(region = "users")]
fn load(id: u64) -> u64 {
    id + load::helper()
}

struct Page;

#[dogpile::cached_multi(region = "users")]
#[allow(non_snake_case)]
fn Page(ids: &[u64]) -> Vec<u64> {
    ids.to_vec()
}

fn main() {}
