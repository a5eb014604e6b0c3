#[dogpile::cached(region = "users")]
fn load(id: u64) -> u64 {
    id
}

fn main() {
    let _: dogpile::Cached<u64> = load(1);
}
