#[dogpile::cached(region = "users", expiration_time = "5 minutes")]
fn unit(id: u64) -> u64 {
    id
}

#[dogpile::cached(region = "users", expiration_time = -1)]
fn negative(id: u64) -> u64 {
    id
}

#[dogpile::cached(region = "users", expiration_time = "9000w")]
fn long(id: u64) -> u64 {
    id
}

#[dogpile::cached(region = "users", cache_err = "300")]
fn without_unit(id: u64) -> Result<u64, u64> {
    Ok(id)
}

const TEXT: &str = "5m";

#[dogpile::cached(region = "users", expiration_time = TEXT)]
fn of_text(id: u64) -> u64 {
    id
}

fn main() {}
