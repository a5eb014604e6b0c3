#[dogpile::cached(region = "users")]
fn constant(id: u64) -> u64 {
    id
}

struct Users;

impl Users {
    #[dogpile::cached(region = "users", associated)]
    fn associated(id: u64) -> u64 {
        id
    }
}

#[dogpile::cached(region = "users")]
fn no_region(id: u64) -> u64 {
    id
}

fn main() {}
