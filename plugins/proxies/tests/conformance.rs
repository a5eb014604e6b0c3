//! The conformance suite, on `memory` behind each proxy.

#![forbid(unsafe_code)]

use dogpile_plugin_api::testing::{Offered, proxy_suite};
use dogpile_plugin_proxies::plugin;

fn proxy<'a>(name: &'a str, arguments: &'a str) -> Offered<'a> {
    Offered {
        plugin: plugin(),
        name,
        arguments,
    }
}

fn memory(arguments: &str) -> Offered<'_> {
    Offered {
        plugin: dogpile_plugin_memory::plugin(),
        name: "memory",
        arguments,
    }
}

#[test]
fn memory_behind_log_conforms() {
    for arguments in ["{}", r#"{"storage": "bytes"}"#] {
        proxy_suite(&[proxy("log", "{}")], memory(arguments)).assert_passed();
    }
}

#[test]
fn memory_behind_zstd_conforms() {
    for min_size in [0, 256] {
        let arguments = format!(r#"{{"min_size": {min_size}}}"#);
        proxy_suite(&[proxy("zstd", &arguments)], memory("{}")).assert_passed();
    }
}

#[test]
fn memory_behind_both_conforms() {
    let both = [proxy("zstd", "{}"), proxy("log", "{}")];
    proxy_suite(&both, memory("{}")).assert_passed();
    let twice = [proxy("zstd", r#"{"min_size": 0}"#); 2];
    proxy_suite(&twice, memory("{}")).assert_passed();
}
