//! A child that goes on with the backend `memcached` of its parent.

use dogpile_plugin_memcached::Memcached;
use dogpile_tests::memcached_server::MemcachedServer;
use serde_json::json;

use crate::children::alone;
use crate::shared_backend::both_use_it;

#[test]
fn a_child_has_connections_of_its_own_and_none_of_the_leases_of_its_parent() {
    alone(
        "memcached_forks::a_child_has_connections_of_its_own_and_none_of_the_leases_of_its_parent",
        || {
            let server = MemcachedServer::start(&[]);
            both_use_it::<Memcached>(&json!({ "url": server.url() }));
        },
    );
}
