use dogpile::{PythonKeys, cached};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct User {
    id: u64,
    name: String,
}

#[cached(region = "users", function_key_generator = PythonKeys::function().module("myapp.users"), clone)]
pub fn load(id: u64) -> User {
    User {
        id,
        name: "Ada".into(),
    }
}
