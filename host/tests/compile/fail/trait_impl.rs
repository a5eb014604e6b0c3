struct Users;

trait Load {
    fn load(&self, id: u64) -> u64;
}

impl Load for Users {
    #[dogpile::cached(region = "users", clone)]
    fn load(&self, id: u64) -> u64 {
        id
    }
}

fn main() {}
