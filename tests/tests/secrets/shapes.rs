//! Secrets in every place and shape, right and wrong.

use crate::case::{Case, VARIABLE};
use crate::outputs::{CANARY, MARKER};

/// A manifest whose arguments of `redis` are `arguments`; `{c}` is a secret, `{v}` a variable with one.
fn redis(arguments: &str) -> String {
    manifest("redis", "redis", arguments)
}

fn manifest(plugin: &str, backend: &str, arguments: &str) -> String {
    filled(&format!(
        "version = 1\n[plugins.{plugin}]\n[plugins.memory]\n[plugins.proxies]\n[plugins.manglers]\n[plugins.template-cache]\n\
         [regions.{MARKER}]\nbackend = \"{backend}\"\nexpiration_time = \"5m\"\non_backend_error = \"fail\"\n\
         [regions.{MARKER}.arguments]\n{arguments}\n"
    ))
}

fn filled(text: &str) -> String {
    text.replace("{c}", CANARY)
        .replace("{v}", &format!("${{{VARIABLE}}}"))
}

/// What cannot be used: each is refused by the reader of manifests or by a plugin, and shown with its place.
const WRONG: [&str; 41] = [
    // Syntax errors in the very line.
    "password = \"{c}\" x",
    "password \"{c}\"",
    "password: \"{c}\"",
    "password = {c}",
    "password = {c}#{c}",
    "password = '{c}",
    "password = \"\"\"\n{c}\n{c}",
    "password = \"\\{c}\"",
    "password = \"a\nb{c}\"",
    "password = [\"{c}\"",
    "x = { password = \"{c}\"",
    "x = { y = 1 password = \"{c}\" }",
    "url = \"redis://me:{c}@h/0\" x",
    "url = \"redis://h/0?password={c}\" x",
    "\"pass\\u0077ord\" = \"{c}\" x",
    "password.value.x = \"{c}\" x",
    "[regions.m4rker.arguments.password]\nvalue = \"{c}\" x",
    "api key = \"{c}\"",
    // Unknown keys, also in another spelling.
    "passwd = \"{c}\"",
    "Password = \"{c}\"",
    "pasword = \"{c}\"",
    "options = '{\"password\": \"{c}\"}'",
    // Wrong types.
    "password = [\"{c}\"]",
    "password = { value = \"{c}\" }",
    "password.value = \"{c}\"",
    "url = [\"redis://:{c}@h\"]",
    "url = 5 # was redis://:{c}@h",
    "port = \"{v}\"",
    "port = \"${file:secret}\"",
    "db = \"${NOT_SET:-{c}}\"",
    "host = \"${NOT_SET:?password={c}}\"",
    // Invalid values.
    "url = \"http://me:{c}@h/0\"",
    "url = \"redis://me:{c}@h:port/0\"",
    "url = \"redis://me:{c}@h/0?password={c}\"",
    "url = \"me:{c}@h:6379\"",
    "url = \"{v}\"",
    "url = \"redis://me:${file:secret}@h:port\"",
    "lock_prefix = \"{v}\"",
    "ssl = true\nssl_keyfile = \"{v}\"\nssl_certfile = \"${file:secret}\"",
    // Twice.
    "password = \"{c}\"\npassword = \"{c}2\"",
    "url = \"redis://:{c}@h/0\"\npassword = \"{c}2\"",
];

#[test]
fn wrong_manifests_do_not_tell_secrets() {
    for arguments in WRONG {
        let text = redis(arguments);
        let mut case = Case::new(&text);
        case.read();
        case.host(&text);
        case.outputs.judge(arguments, &[]);
        let told = ["manifest's errors", "host's error"];
        assert!(
            told.iter().any(|from| case.outputs.has(from, "error")),
            "{arguments} is right"
        );
    }
}

#[test]
fn the_command_does_not_tell_secrets_of_wrong_manifests() {
    for arguments in [
        "password: \"{c}\"",
        "pasword = \"{c}\"",
        "url = \"http://me:{c}@h/0\"",
        "port = \"{v}\"",
        "url = \"redis://me:${file:secret}@h:port\"",
    ] {
        let mut case = Case::new(&redis(arguments));
        case.checks();
        case.outputs.judge(arguments, &[]);
        assert!(case.outputs.has("check", "error"), "{arguments}");
    }
}

#[test]
fn wrong_arguments_of_other_plugins_do_not_tell_secrets() {
    for (plugin, backend, arguments) in [
        (
            "redis",
            "redis_sentinel",
            "sentinels = [\"me:{c}@127.0.0.1:1\"]",
        ),
        (
            "redis",
            "redis_sentinel",
            "sentinels = [\"h\"]\nsentinel_pasword = \"{c}\"",
        ),
        (
            "redis",
            "redis_cluster",
            "startup_nodes = [\"redis://me:{c}@127.0.0.1:1\"]",
        ),
        ("memcached", "memcached", "url = \"me:{c}@127.0.0.1:1\""),
        (
            "memcached",
            "memcached_binary",
            "url = \"h:1\"\npassword = \"{c}\"",
        ),
        (
            "memcached",
            "memcached_binary",
            "url = \"h:1\"\nusername = \"{c}\"\npassword = [\"{c}\"]",
        ),
        (
            "memcached",
            "memcached_binary",
            "url = \"h:1\"\ntls = { ca = \"{v}\", passphrase = \"{c}\" }",
        ),
        ("dbm", "dbm", "filename = \"x\"\npassword = \"{c}\""),
        ("null", "null", "token = \"{c}\""),
        ("memory", "memory", "max_entries = \"{v}\""),
    ] {
        let text = manifest(plugin, backend, arguments);
        let mut case = Case::new(&text);
        case.read();
        case.host(&text);
        case.outputs.judge(arguments, &[]);
        assert!(
            case.outputs.has("host's error", "error"),
            "{arguments} is right"
        );
    }
    for more in [
        "[regions.x]\nbackend = \"memory\"\nexpiration_time = 1\nproxies = [{ proxy = \"log\", arguments = { level = \"{v}\" } }]",
        "[regions.x]\nbackend = \"memory\"\nexpiration_time = 1\nproxies = [{ proxy = \"log\", arguments = { token = \"{c}\" } }]",
        "[regions.x]\nbackend = \"memory\"\nexpiration_time = 1\nkey_mangler = [{ mangler = \"length\", arguments = { secret = \"{c}\", then = \"${file:secret}\" } }]",
        "[templates]\nplugin = \"template-cache\"\narguments = { region = 5, token = \"{c}\" }",
        "[regions.x]\nbackend = \"redis://me:{c}@h\"\nexpiration_time = 1",
        "[regions.x]\nbackend = \"redis://me:{c}@h/0\"\nexpiration_time = \"password={c}\"",
        "[host]\nplugin_dir = \"plugins\"\npassword = \"{c}\"\nadmin_socket = 5",
    ] {
        let text = filled(&format!(
            "version = 1\n[plugins.memory]\n[plugins.proxies]\n[plugins.manglers]\n[plugins.template-cache]\n{more}\n"
        ));
        let mut case = Case::new(&text);
        case.read();
        case.host(&text);
        case.outputs.judge(more, &[]);
        assert!(case.outputs.has("host's error", "error"), "{more} is right");
    }
}

#[test]
fn a_host_and_its_command_do_not_tell_secrets_that_work() {
    let with = |secret: &str| {
        filled(&format!(
            "version = 1\n[plugins.redis]\n[plugins.memcached]\n[plugins.memory]\n[plugins.proxies]\n[plugins.manglers]\n[plugins.template-cache]\n\
             [templates]\nplugin = \"template-cache\"\narguments = {{ region = \"redis://me:{secret}@h\" }}\n\
             [regions.{MARKER}]\nbackend = \"memory\"\nexpiration_time = 60\n\
             proxies = [\"log\"]\nkey_mangler = [{{ mangler = \"length\", arguments = {{ max = 250 }} }}]\n\
             [regions.{MARKER}-url]\nbackend = \"redis\"\nexpiration_time = 60\non_backend_error = \"fail\"\nrequire_healthy = false\n\
             arguments = {{ url = \"redis://me-{secret}:{secret}%2Fx@127.0.0.1:1/0\" }}\n\
             [regions.{MARKER}-sentinel]\nbackend = \"redis_sentinel\"\nexpiration_time = 60\non_backend_error = \"fail\"\nrequire_healthy = false\n\
             arguments = {{ sentinels = [\"127.0.0.1:1\"], sentinel_password = \"{secret}\", username = \"{secret}\", password = \"{secret}\" }}\n\
             [regions.{MARKER}-cluster]\nbackend = \"redis_cluster\"\nexpiration_time = 60\non_backend_error = \"fail\"\nrequire_healthy = false\n\
             arguments = {{ startup_nodes = [\"127.0.0.1:1\"], password = \"{secret}\" }}\n\
             [regions.{MARKER}-memcached]\nbackend = \"memcached_binary\"\nexpiration_time = 60\non_backend_error = \"fail\"\nrequire_healthy = false\n\
             arguments = {{ url = \"127.0.0.1:1\", username = \"{secret}\", password = \"{secret}\" }}\n"
        ))
    };
    let mut case = Case::new(&with("{c}-of-text"));
    case.read();
    case.host(&with("${file:secret}"));
    case.outputs.judge(
        "in this process",
        &[
            "manifest",
            "region's configuration",
            "masked manifest",
            "status",
            "metrics",
            "plan",
            "reload",
            "region",
            "calls",
            "log",
        ],
    );

    let mut case = Case::new(&with("{v}"));
    case.checks();
    case.serves(&with("{c}-of-text"));
    case.outputs.judge(
        "by the command",
        &[
            "check",
            "served status",
            "served status --json",
            "served metrics",
            "served plan",
            "served plan --json",
            "serve's log",
        ],
    );
    assert!(
        case.outputs.has("served plan", "arguments.url"),
        "{:?}",
        case.outputs
    );
    assert!(
        case.outputs
            .has("served plugins --json", "sentinel_password")
    );
}
