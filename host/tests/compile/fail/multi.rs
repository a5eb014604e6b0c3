use dogpile::cached_multi;

#[cached_multi(region = "users")]
fn one_key(id: u64) -> Vec<u64> {
    vec![id]
}

#[cached_multi(region = "users")]
fn no_key() -> Vec<u64> {
    Vec::new()
}

#[cached_multi(region = "users")]
fn one_value(ids: &[u64]) -> u64 {
    ids[0]
}

#[cached_multi(region = "users")]
fn neither_list_nor_map(ids: &[u64]) -> Option<u64> {
    ids.first().copied()
}

#[cached_multi(region = "users", key = "user:{id}")]
fn one_text_for_all(ids: &[u64]) -> Vec<u64> {
    ids.to_vec()
}

fn main() {}
