use std::rc::Rc;

#[dogpile::cached(region = "users", background)]
fn borrows(name: &str, id: u64) -> u64 {
    id + u64::from(name.is_empty())
}

struct Db;

impl Db {
    #[dogpile::cached(region = "users", background)]
    async fn borrows_self(&self, id: u64) -> u64 {
        id
    }
}

#[dogpile::cached(region = "users", skip(count), background)]
fn stays_on_its_thread(id: u64, count: Rc<u64>) -> u64 {
    id + *count
}

#[dogpile::cached_multi(region = "users", background)]
fn several(ids: &[u64]) -> Vec<u64> {
    ids.to_vec()
}

#[dogpile::cached(region = "users", tags = 5)]
fn no_tags(id: u64) -> u64 {
    id
}

struct Limit(u64);

#[dogpile::cached(region = "users", skip(limit), background, should_cache = |id: &u64| *id > limit.0)]
fn reads_what_has_no_copy(id: u64, limit: Limit) -> u64 {
    id + limit.0
}

fn main() {}
