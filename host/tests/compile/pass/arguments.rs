#[derive(serde::Serialize)]
struct Db;

#[dogpile::cached(region = "users", skip(db))]
fn not_serialisable(id: u64, db: &Db) -> u64 {
    let Db = db;
    id
}

impl Db {
    #[dogpile::cached(region = "users")]
    fn skips_self(&self, id: u64) -> u64 {
        id
    }

    #[dogpile::cached(region = "users", key_self)]
    fn self_is_not_serialisable(&self, id: u64) -> u64 {
        id
    }
}

#[dogpile::cached(region = "users", key = "user:{id}")]
fn with_a_key(id: u64, db: &Db) -> u64 {
    let Db = db;
    id
}

#[dogpile::cached(region = "users")]
fn generic<T: serde::Serialize>(value: T) -> u64 {
    drop(value);
    1
}

fn main() {}
