//! Real servers that refuse the secret, and those that go.

use dogpile_tests::memcached_server::MemcachedServer;
use dogpile_tests::redis_server::RedisServer;

use crate::case::Case;
use crate::outputs::{CANARY, MARKER};

/// A manifest of one region, whose secret is wrong for whatever is at the port.
fn manifest(plugin: &str, backend: &str, arguments: &str) -> String {
    format!(
        "version = 1\n[plugins.{plugin}]\n[regions.{MARKER}]\nbackend = \"{backend}\"\nexpiration_time = \"5m\"\n\
         on_backend_error = \"fail\"\nrequire_healthy = false\n[regions.{MARKER}.arguments]\n{arguments}\n"
    )
}

/// All that is said of a login that is refused, by `reason`.
fn refused(plugin: &str, backend: &str, arguments: &str, reason: &str) {
    let text = manifest(plugin, backend, arguments);
    let mut case = Case::new(&text);
    let other = text.replace(CANARY, &format!("{CANARY}-2"));
    case.host(&other);
    case.checks();
    case.outputs.judge(arguments, &["calls", "log", "check"]);
    for from in ["calls", "log", "check"] {
        assert!(
            case.outputs.has(from, reason),
            "{arguments}: no `{reason}` from {from}"
        );
    }
    case.save(&text.replace("require_healthy = false", "require_healthy = true"));
    case.host(&text);
    assert!(case.outputs.has("host's error", reason), "{arguments}");
    case.outputs.judge(arguments, &[]);
}

#[test]
fn a_redis_that_refuses_a_password_does_not_tell_it() {
    let server = RedisServer::start(&["--requirepass", "right"]);
    let port = server.port();
    for arguments in [
        format!("url = \"redis://:{CANARY}@127.0.0.1:{port}/0\""),
        format!("url = \"redis://default:{CANARY}%21%2f@127.0.0.1:{port}/0\""),
        format!("host = \"127.0.0.1\"\nport = {port}\npassword = \"{CANARY}\""),
        format!(
            "host = \"127.0.0.1\"\nport = {port}\nusername = \"{CANARY}\"\npassword = \"{CANARY}\""
        ),
        format!("host = \"127.0.0.1\"\nport = {port}\npassword = \"${{file:secret}}\""),
    ] {
        refused(
            "redis",
            "redis",
            &arguments,
            "refuses this user and password",
        );
    }
    let arguments =
        format!("host = \"127.0.0.1\"\nport = {port}\nmultiplex = true\npassword = \"{CANARY}\"");
    refused(
        "redis",
        "redis",
        &arguments,
        "refuses this user and password",
    );
}

#[test]
fn sentinels_and_what_they_name_do_not_tell_a_password() {
    let server = RedisServer::start(&["--requirepass", "right"]);
    let lines = format!(
        "sentinel monitor mymaster 127.0.0.1 {} 1\nsentinel auth-pass mymaster right\n",
        server.port()
    );
    let open = RedisServer::start_sentinel(&lines, &[]);
    let port = open.port();
    refused(
        "redis",
        "redis_sentinel",
        &format!("sentinels = [\"127.0.0.1:{port}\"]\npassword = \"{CANARY}\""),
        "refuses this user and password",
    );
    let closed = RedisServer::start_sentinel(&lines, &["--requirepass", "right"]);
    let port = closed.port();
    refused(
        "redis",
        "redis_sentinel",
        &format!(
            "sentinels = [\"127.0.0.1:{port}\"]\nsentinel_password = \"{CANARY}\"\npassword = \"right\""
        ),
        "refuses this user and password",
    );
}

#[test]
fn a_cluster_that_refuses_a_password_does_not_tell_it() {
    let server = RedisServer::start(&["--cluster-enabled", "yes", "--requirepass", "right"]);
    let port = server.port();
    refused(
        "redis",
        "redis_cluster",
        &format!("startup_nodes = [\"127.0.0.1:{port}\"]\npassword = \"{CANARY}\""),
        "refuses this user and password",
    );
}

#[test]
fn memcached_that_refuses_a_login_does_not_tell_it() {
    let server = MemcachedServer::start_with_sasl("me", "right", &[]);
    let login = format!(
        "url = \"127.0.0.1:{}\"\nusername = \"{CANARY}\"\npassword = \"{CANARY}\"",
        server.port()
    );
    refused(
        "memcached",
        "memcached_binary",
        &login,
        "does not let us in",
    );
    let server = MemcachedServer::start_with_login("me", "right", &[]);
    let login = format!(
        "url = \"127.0.0.1:{}\"\nusername = \"me\"\npassword = \"{CANARY}\"",
        server.port()
    );
    refused("memcached", "memcached", &login, "does not let us in");
}
