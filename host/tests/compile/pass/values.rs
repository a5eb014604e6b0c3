#[derive(serde::Serialize, serde::Deserialize)]
struct User;

#[derive(Clone)]
struct Failed;

#[dogpile::cached(region = "users")]
fn not_serialisable(_id: u64) -> User {
    User
}

#[dogpile::cached(region = "users")]
fn result_not_serialisable(_id: u64) -> Result<User, String> {
    Ok(User)
}

#[dogpile::cached(region = "users")]
fn error_not_clone(_id: u64) -> Result<u64, Failed> {
    Err(Failed)
}

#[dogpile::cached(region = "users", clone)]
fn not_clone(_id: u64) -> Owned {
    Owned
}

#[derive(Clone, serde::Serialize, serde::Deserialize)]
struct Owned;

#[dogpile::cached(region = "users", skip_none)]
fn no_option(id: u64) -> Option<u64> {
    Some(id)
}

#[dogpile::cached(region = "users", cache_err = "1s")]
fn no_result(id: u64) -> Result<u64, String> {
    Ok(id)
}

#[dogpile::cached(region = "users", should_cache = |user| user == "Ada")]
fn asked_for_another(_id: u64) -> String {
    "Ada".into()
}

#[dogpile::cached(region = "users")]
fn reference(_id: u64) -> String {
    String::new()
}

#[dogpile::cached(region = "users")]
fn unnamed(id: u64) -> u64 {
    id
}

fn main() {}
