use std::hint::black_box;

use dogpile::{Region, RegionConfig, SerializerKind};

use super::calls::{HOUR, LENGTH, Threads, What};

/// A region on that backend, with keys of its own and the serializer of bytes as they are.
pub(crate) fn config(backend: &str, prefix: &str) -> RegionConfig {
    RegionConfig::on("bench", backend)
        .key_prefix(prefix)
        .expiration_time(HOUR)
        .serializer(SerializerKind::Raw)
}

/// dogpile, called by threads.
pub(crate) struct Dogpile {
    pub(crate) name: &'static str,
    pub(crate) region: Region,
}

impl Threads for Dogpile {
    fn name(&self) -> &'static str {
        self.name
    }

    fn calls(&self, what: What, _: usize, keys: &mut dyn Iterator<Item = &[String]>) {
        let value = vec![7_u8; LENGTH];
        for keys in keys {
            match what {
                What::Get => {
                    let found = self.region.get::<Vec<u8>>(&keys[0]).expect("it is read");
                    assert_eq!(black_box(found).expect("it is there").len(), LENGTH);
                }
                What::Set => {
                    let stored = self.region.set(&keys[0], value.clone());
                    black_box(stored.expect("it is stored"));
                }
                What::GetMulti => {
                    let found = self
                        .region
                        .get_multi::<Vec<u8>, _>(keys)
                        .expect("they are read");
                    assert!(black_box(found).iter().all(Option::is_some));
                }
                What::SetMulti => {
                    let entries = keys.iter().map(|key| (key, value.clone()));
                    self.region.set_multi(entries).expect("they are stored");
                }
            }
        }
    }
}
