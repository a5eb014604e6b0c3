#[dogpile::cached(region = "users", namespace = "x")]
fn misspelt(id: u64) -> u64 {
    id
}

#[dogpile::cached(region = "users", expiration_time = "5m")]
fn unknown(id: u64) -> u64 {
    id
}

#[dogpile::cached(region = "users", namespace = "7", skip(id), clone, skip_none)]
fn of_another_form(id: u64) -> Option<u64> {
    Some(id)
}

fn main() {}
