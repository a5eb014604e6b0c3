#[dogpile::cached(region = "users", namespce = "x")]
fn misspelt(id: u64) -> u64 {
    id
}

#[dogpile::cached(region = "users", ttl = "5m")]
fn unknown(id: u64) -> u64 {
    id
}

#[dogpile::cached(region = "users", region = "others")]
fn twice(id: u64) -> u64 {
    id
}

#[dogpile::cached(region = "users", namespace = 7, skip = id, clone = true, skip_none())]
fn of_another_form(id: u64) -> u64 {
    id
}

#[dogpile::cached(region = "users", expiration_time =)]
fn without_value(id: u64) -> u64 {
    id
}

#[dogpile::cached_multi(region = "users", cache_err = "5m")]
fn of_the_other_attribute(ids: &[u64]) -> Vec<u64> {
    ids.to_vec()
}

fn main() {}
