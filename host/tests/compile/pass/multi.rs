use std::collections::HashMap;

use dogpile::cached_multi;

#[cached_multi(region = "users")]
fn one_value(ids: &[u64]) -> Vec<u64> {
    ids.to_vec()
}

#[cached_multi(region = "users")]
fn neither_list_nor_map(ids: &[u64]) -> HashMap<u64, String> {
    ids.iter().map(|id| (*id, id.to_string())).collect()
}

#[cached_multi(region = "users", key = |id| format!("user:{id}"))]
fn one_text_for_all(ids: &[u64]) -> Vec<u64> {
    ids.to_vec()
}

#[cached_multi(region = "users")]
fn one_key(ids: Vec<u64>) -> Vec<u64> {
    ids
}

fn main() {}
