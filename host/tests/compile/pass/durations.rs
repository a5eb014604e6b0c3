#[dogpile::cached(region = "users", expiration_time = "5m")]
fn unit(id: u64) -> u64 {
    id
}

#[dogpile::cached(region = "users", expiration_time = "never")]
fn negative(id: u64) -> u64 {
    id
}

#[dogpile::cached(region = "users", expiration_time = "90w")]
fn long(id: u64) -> u64 {
    id
}

#[dogpile::cached(region = "users", cache_err = 300)]
fn without_unit(id: u64) -> Result<u64, u64> {
    Ok(id)
}

const TIME: std::time::Duration = std::time::Duration::from_secs(300);

#[dogpile::cached(region = "users", expiration_time = TIME)]
fn of_text(id: u64) -> u64 {
    id
}

fn main() {}
