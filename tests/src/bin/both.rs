//! The Rust program of `docs/python.md`, which shares a region with one in Python.

#![forbid(unsafe_code)]

use dogpile::{Host, PythonKeys, cached};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct User {
    id: u64,
    name: String,
}

#[cached(region = "users", function_key_generator = PythonKeys::function().module("myapp.users"))]
fn load(id: u64) -> User {
    User {
        id,
        name: "Ada".into(),
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let host = Host::open("dogpile.toml")?;
    host.install()?;
    for id in std::env::args().skip(1) {
        let user = load(id.parse()?);
        println!("{}: {}, {:?}", user.id, user.name, user.source());
    }
    Ok(())
}
