//! Who makes calls within this process.

use std::hint::black_box;

use memcache::exp::{Get, MetaClient, Set, Ttl};

use crate::plugins;
use crate::server::region::{self, Dogpile};
use crate::server::{HOUR, LENGTH, Threads, What};

/// A region on one of the backends.
pub(super) fn dogpile(backend: &'static str, servers: &[String]) -> Dogpile {
    let config = region::config(backend, &format!("{backend}:")).argument("url", servers);
    let host = plugins::host("memcached", dogpile_plugin_memcached::plugin);
    Dogpile {
        name: backend,
        region: host.configure(config).expect("the backend opens"),
    }
}

/// The client of the crate `memcache` that all threads share, with its defaults.
pub(super) struct Raw(MetaClient);

impl Raw {
    pub(super) fn new(servers: &[String]) -> Self {
        let client = MetaClient::connect_multiple(servers.iter().map(String::as_str));
        Self(client.expect("these are addresses"))
    }
}

impl Threads for Raw {
    fn name(&self) -> &'static str {
        "MetaClient"
    }

    fn calls(&self, what: What, _: usize, keys: &mut dyn Iterator<Item = &[String]>) {
        let value = vec![7_u8; LENGTH];
        let set = |key: &String| Set::new(raw(key), &value).ttl(Ttl::from(HOUR));
        for keys in keys {
            match what {
                What::Get => {
                    let found = self.0.get(raw(&keys[0])).send().expect("it is read");
                    let bytes = black_box(found).value.expect("it is there");
                    assert_eq!(bytes.len(), LENGTH);
                }
                What::Set => {
                    let stored = self.0.run(set(&keys[0])).expect("it is stored");
                    assert!(stored.applied());
                }
                What::GetMulti => {
                    let gets = keys.iter().map(|key| Get::new(raw(key)));
                    let found = self.0.run_many(gets).expect("they are read");
                    for found in black_box(found) {
                        assert!(found.expect("it is read").hit());
                    }
                }
                What::SetMulti => {
                    let stored = self.0.run_many(keys.iter().map(set));
                    for stored in stored.expect("they are stored") {
                        assert!(stored.expect("it is stored").applied());
                    }
                }
            }
        }
    }
}

fn raw(key: &str) -> String {
    format!("raw:{key}")
}
