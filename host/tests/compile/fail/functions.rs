#[dogpile::cached(region = "users")]
const fn constant(id: u64) -> u64 {
    id
}

#[dogpile::cached(region = "users")]
extern "C" fn foreign(id: u64) -> u64 {
    id
}

#[dogpile::cached(region = "users")]
struct NotAFunction;

struct Users;

impl Users {
    #[dogpile::cached(region = "users")]
    fn associated(id: u64) -> u64 {
        id
    }
}

#[dogpile::cached(region = 7)]
fn no_region(id: u64) -> u64 {
    id
}

fn main() {}
