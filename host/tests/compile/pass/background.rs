use std::sync::Arc;

#[dogpile::cached(region = "users", background)]
fn borrows(name: String, id: u64) -> u64 {
    id + u64::from(name.is_empty())
}

struct Db;

impl Db {
    #[dogpile::cached(region = "users", background)]
    async fn borrows_self(self: Arc<Self>, id: u64) -> u64 {
        id
    }
}

#[dogpile::cached(region = "users", skip(count), background)]
fn stays_on_its_thread(id: u64, count: Arc<u64>) -> u64 {
    id + *count
}

#[dogpile::cached_multi(region = "users")]
fn several(ids: &[u64]) -> Vec<u64> {
    ids.to_vec()
}

#[dogpile::cached(region = "users", tags = ["five", "six"])]
fn no_tags(id: u64) -> u64 {
    id
}

#[dogpile::cached(region = "users", background)]
fn a_static(name: &'static str) -> u64 {
    u64::from(name.is_empty())
}

#[derive(Clone)]
struct Limit(u64);

#[dogpile::cached(region = "users", skip(limit), background, should_cache = |id: &u64| *id > limit.0)]
fn reads_what_has_no_copy(id: u64, limit: Limit) -> u64 {
    id + limit.0
}

struct Unread {
    limit: u64,
}

const LEAST: Unread = Unread { limit: 1 };

/// A field of the same name is not the argument.
#[dogpile::cached(region = "users", skip(limit), should_cache = |id: &u64| *id > LEAST.limit)]
fn reads_no_argument(id: u64, limit: Unread) -> u64 {
    id + limit.limit
}

fn main() {}
