struct Users;

trait Load {
    fn load(&self, id: u64) -> u64;
}

impl Load for Users {
    fn load(&self, id: u64) -> u64 {
        self.cached_load(id)
    }
}

impl Users {
    #[dogpile::cached(region = "users", clone)]
    fn cached_load(&self, id: u64) -> u64 {
        id
    }
}

fn main() {}
