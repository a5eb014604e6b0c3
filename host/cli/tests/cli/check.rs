use std::fs::File;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::FileExt;
use std::process::Command;
use std::thread;

use crate::support::{Folder, PAGES};

#[test]
fn a_right_manifest_is_ok() {
    let folder = Folder::new(
        r#"version = 1
[host]
plugin_dir = "plugins"
[plugins.memory]
[plugins.manglers]
[regions.one]
backend = "memory"
expiration_time = "5m"
[regions.two]
backend = "memory/memory"
expiration_time = 60
key_mangler = ["sha1"]
"#,
    );
    for arguments in [&["check"][..], &["check", "--no-connect"]] {
        folder
            .dogpile(arguments)
            .is(0, "ok: 2 regions, 2 plugins\n", "");
    }
}

#[test]
fn warnings_are_told_and_do_no_harm() {
    let manifest = PAGES.replace("expiration_time = \"1h\"\n", "");
    let run = Folder::new(&manifest).dogpile(&["check"]);
    assert_eq!(run.stdout, "ok: 1 region, 1 plugin\n");
    assert!(run.stderr.starts_with("dogpile.toml:8:"), "{run:?}");
    assert!(run.stderr.contains(": warning: "), "{run:?}");
    assert_eq!(run.status, Some(0));
}

#[test]
fn every_error_of_a_manifest_is_shown_with_its_place() {
    let manifest = PAGES
        .replace("backend =", "backnd =")
        .replace("\"1h\"", "\"1 hour\"");
    let run = Folder::new(&manifest).dogpile(&["check"]);
    assert_eq!((run.status, run.stdout.as_str()), (Some(1), ""));
    assert!(
        run.stderr.contains(
            "dogpile.toml:9:1: error: unknown key `backnd` in [regions.pages]\n  |\n9 | backnd = \"memory\"\n  | ^^^^^^\n  = help: did you mean `backend`?"
        ),
        "{run:?}"
    );
    assert!(run.stderr.contains("dogpile.toml:10:"), "{run:?}");
    assert!(run.stderr.ends_with("3 errors\n"), "{run:?}");
}

#[test]
fn plugins_that_cannot_be_loaded_are_all_named() {
    let folder = Folder::without_plugins(
        "version = 1\n[plugins.absent]\n[plugins.broken]\n[host]\nplugin_dir = \"plugins\"\n",
    );
    folder.write("plugins/libdogpile_plugin_broken.so", "text");
    let run = folder.dogpile(&["check"]);
    assert_eq!((run.status, run.stdout.as_str()), (Some(1), ""));
    assert!(run.stderr.contains("dogpile.toml:2:"), "{run:?}");
    assert!(
        run.stderr.contains("plugins/libdogpile_plugin_absent.so: "),
        "{run:?}"
    );
    assert!(run.stderr.contains("dogpile.toml:3:"), "{run:?}");
    assert!(
        run.stderr.contains("plugins/libdogpile_plugin_broken.so: "),
        "{run:?}"
    );
    assert!(run.stderr.ends_with("\n\n2 errors\n"), "{run:?}");
}

#[test]
fn what_is_wrong_with_manifest_plugins_and_regions_is_told_at_once() {
    let wrong = PAGES.replace("[plugins.memory]", "[plugins.absent]\n[plugins.memory]")
        + "arguments = { max_entries = 0, max_byte = 1 }\n[regions.more]\nbackend = \"memory\"\n";
    let folder = Folder::new(&(wrong.clone() + "expiration_time = 60\nkey_mangler = \"sha\"\n"));
    let run = folder.dogpile(&["check"]);
    let places = [
        "6:1: error[file-not-found]: ",
        "12:29: error[plugin-arguments]: ",
        "12:32: error[plugin-arguments]: ",
    ];
    assert_eq!((run.status, run.stdout.as_str()), (Some(1), ""));
    for place in places {
        let place = format!("dogpile.toml:{place}");
        assert!(run.stderr.contains(&place), "no {place} in {run:?}");
    }
    // The mangler may be that of the absent plugin.
    assert!(run.stderr.ends_with("3 errors\n"), "{run:?}");
    let run = folder.dogpile(&["check", "--no-connect"]);
    assert!(run.stderr.ends_with("1 error\n"), "{run:?}");

    // Nothing is opened for a manifest that is wrong by itself.
    folder.write("dogpile.toml", &(wrong + "expiration_time = \"soon\"\n"));
    let run = folder.dogpile(&["check"]);
    for place in [
        "dogpile.toml:6:1: error[file-not-found]: ",
        "dogpile.toml:15:19: error: ",
    ] {
        assert!(run.stderr.contains(place), "no {place} in {run:?}");
    }
    assert!(run.stderr.ends_with("2 errors\n"), "{run:?}");

    let names = PAGES.replace("\"1h\"", "\"soon\"")
        + "[regions.more]\nbackend = \"null/memory\"\nexpiration_time = 60\n[plugins.null]\n";
    folder.write("dogpile.toml", &names);
    let run = folder.dogpile(&["check"]);
    for place in [
        "dogpile.toml:10:19: error: ",
        "dogpile.toml:12:11: error: plugin `null` offers no backend `memory`",
    ] {
        assert!(run.stderr.contains(place), "no {place} in {run:?}");
    }
}

#[test]
fn a_plugin_that_kills_the_process_is_reported_with_its_signal() {
    let folder =
        Folder::new(&PAGES.replace("[plugins.memory]", "[plugins.memory]\n[plugins.fatal]"));
    let epoch = dogpile_plugin_api::abi::ABI_EPOCH.to_string();
    folder.write("fatal.c", &FATAL.replace("EPOCH", &epoch));
    let built = Command::new("cc")
        .args(["-shared", "-fPIC", "-o"])
        .arg(folder.path("plugins/libdogpile_plugin_fatal.so"))
        .arg(folder.path("fatal.c"))
        .status()
        .unwrap();
    assert!(built.success());
    folder.dogpile(&["check"]).is(
        1,
        "",
        "dogpile.toml:7:1: error[plugin-kills-the-process]: plugins/libdogpile_plugin_fatal.so: loading it kills the process by signal 11 \
         (SIGSEGV)\n  |\n7 | [plugins.fatal]\n  | ^^^^^^^^^^^^^^^\n  = help: replace the file, or leave the plugin \
         out\n\n1 error\n",
    );
}

/// Its header is right, so it is mapped; then its constructor runs.
const FATAL: &str = r#"#include <signal.h>
#include <stdint.h>

static void nothing(void) {}

const struct {
    uint8_t magic[8];
    uint32_t epoch, length, unwinds, reserved;
    char api_version[24], abi_stable_version[24], rustc[64];
    void (*layout)(void), (*table)(void);
} header __asm__("__dogpile_plugin_fatal") = {
    {'d', 'o', 'g', 'p', 'i', 'l', 'e', 1}, EPOCH, 152, 1, 0, "0.1.0", "0.11.3", "cc", nothing, nothing,
};

__attribute__((constructor)) static void die(void) { raise(SIGSEGV); }
"#;

#[test]
fn a_region_that_names_no_backend_is_shown_with_its_place() {
    let folder = Folder::new(&PAGES.replace("\"memory\"", "\"redis\""));
    for arguments in [&["check"][..], &["check", "--no-connect"]] {
        let run = folder.dogpile(arguments);
        assert_eq!((run.status, run.stdout.as_str()), (Some(1), ""));
        let start = r#"dogpile.toml:9:11: error: no plugin offers the backend `redis`
  |
9 | backend = "redis"
  |           ^^^^^^^
  = help: list a plugin that offers it under [plugins]"#;
        assert!(run.stderr.starts_with(start), "{run:?}");
        assert!(run.stderr.ends_with("\n\n1 error\n"), "{run:?}");
    }
}

#[test]
fn arguments_that_a_backend_refuses_are_shown_with_their_place() {
    let manifest = format!("{PAGES}arguments = {{ max_entries = 0, max_byte = 1 }}\n");
    let run = Folder::new(&manifest).dogpile(&["check"]);
    assert_eq!((run.status, run.stdout.as_str()), (Some(1), ""));
    assert!(run.stderr.starts_with("dogpile.toml:11:"), "{run:?}");
}

#[test]
fn a_check_changes_nothing_for_a_running_host() {
    let folder = Folder::new(PAGES);
    folder.add_site();
    let server = folder.serve();
    assert_eq!(server.get("/").source(), "created");
    assert_eq!(folder.dogpile(&["check"]).status, Some(0));
    assert_eq!(server.get("/").source(), "fresh");
    assert_eq!(folder.dogpile(&["status"]).status, Some(0));
}

#[test]
fn proxies_must_be_offered_and_take_their_arguments() {
    let manifest = PAGES.replace(
        "expiration_time",
        "proxies = [\"zstd\", { proxy = \"proxies/log\", arguments = { level = \"info\" } }]\nexpiration_time",
    );
    let manifest = manifest.replace("[plugins.memory]", "[plugins.memory]\n[plugins.proxies]");
    let folder = Folder::new(&manifest);
    folder.add_plugin("proxies");
    for arguments in [&["check"][..], &["check", "--no-connect"]] {
        folder
            .dogpile(arguments)
            .is(0, "ok: 1 region, 2 plugins\n", "");
    }
    folder.write(
        "dogpile.toml",
        &manifest.replace("\"zstd\"", "\"zstandard\""),
    );
    for arguments in [&["check"][..], &["check", "--no-connect"]] {
        let run = folder.dogpile(arguments);
        assert_eq!(run.status, Some(1));
        let error = "no plugin offers the proxy `zstandard`";
        assert!(run.stderr.contains(error), "{run:?}");
    }
    folder.write("dogpile.toml", &manifest.replace("\"info\"", "\"loud\""));
    let run = folder.dogpile(&["check"]);
    assert!(
        run.stderr.contains("`log` refuses its arguments"),
        "{run:?}"
    );
}

#[test]
fn the_templates_name_a_template_cache_that_is_offered_and_takes_its_arguments() {
    let templates = "[plugins.template-cache]\n[templates]\nplugin = \"template-cache\"\n\
                     arguments = { region = \"pages\" }\n";
    let manifest = format!("{PAGES}{templates}");
    let folder = Folder::new(&manifest);
    folder.add_plugin("template_cache");
    let run = folder.dogpile(&["check"]);
    assert_eq!(run.status, Some(0), "{run:?}");
    for (wrong, error) in [
        (
            manifest.replace("plugin = \"template-cache\"", "plugin = \"template-cash\""),
            "no plugin offers the template cache `template-cash`",
        ),
        (
            manifest.replace("region = \"pages\"", "regoin = \"pages\""),
            "`template-cache` refuses its arguments",
        ),
    ] {
        folder.write("dogpile.toml", &wrong);
        let run = folder.dogpile(&["check"]);
        assert_eq!(run.status, Some(1), "{run:?}");
        assert!(run.stderr.contains(error), "{run:?}");
    }
    // Without opening anything, what is not offered shows all the same.
    let wrong = manifest.replace("plugin = \"template-cache\"", "plugin = \"template-cash\"");
    folder.write("dogpile.toml", &wrong);
    let run = folder.dogpile(&["check", "--no-connect"]);
    assert!(run.stderr.contains("`template-cash`"), "{run:?}");
}

#[test]
fn the_effective_manifest_is_printed_with_defaults_and_without_secrets() {
    let folder = Folder::new(
        "version = 1\ninclude = [\"conf.d/*.toml\"]\n[plugins.memory]\n[regions.a]\nbackend = \"${BACKEND:-memory}\"\n\
         expiration_time = 90\n",
    );
    folder.write(
        "conf.d/b.toml",
        "[regions.b]\nbackend = \"memory\"\nexpiration_time = \"never\"\nkey_prefix = \"${MARK:-hush}:\"\n",
    );
    let run = folder.dogpile(&["check", "--print"]);
    assert_eq!((run.status, run.stderr.as_str()), (Some(0), ""));
    for part in [
        "[host]\ndrain_timeout = \"30s\"\nopen_timeout = \"10s\"\nplugin_dir = \"plugins\"\n",
        "[plugins.memory]\nfile = \"libdogpile_plugin_memory.so\"\n",
        "[regions.a]\nbackend = \"memory\"\n",
        "\nexpiration_time = \"1m30s\"\n",
        "\nkey_prefix = \"***:\"\n",
    ] {
        assert!(run.stdout.contains(part), "no {part} in {}", run.stdout);
    }
    // It stands where the manifest did, and means the same.
    folder.write("dogpile.toml", &run.stdout);
    folder.dogpile(&["check", "--print"]).is(0, &run.stdout, "");
    // What is wrong is told, and nothing printed.
    folder.write("dogpile.toml", &PAGES.replace("\"memory\"", "\"memori\""));
    let wrong = folder.dogpile(&["check", "--print"]);
    assert_eq!((wrong.status, wrong.stdout.as_str()), (Some(1), ""));
    assert_eq!(
        folder.dogpile(&["check", "--print", "--json"]).status,
        Some(2)
    );
}

/// A region on a socket that nobody listens at, with a `hang_after` that is too short.
const NOBODY: &str = "version = 1\n[plugins.redis]\n[regions.users]\nbackend = \"redis\"\nexpiration_time = 1\n\
                      hang_after = \"2s\"\narguments = { url = \"unix:///nobody/listens\" }\n";

#[test]
fn a_hang_after_without_effect_is_a_warning() {
    let folder = Folder::without_plugins(NOBODY);
    folder.add_plugin("redis");
    let warning =
        "dogpile.toml:6:14: warning: `hang_after` has no effect below 4s: backend `redis`";
    let run = folder.dogpile(&["check"]);
    assert_eq!(run.status, Some(1));
    assert_eq!(run.stderr.matches(warning).count(), 1, "{run:?}");
    // With the place in fields, as all warnings have it.
    let run = folder.dogpile(&["check", "--json"]);
    let told: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(told["warnings"].as_array().unwrap().len(), 1);
    let warned = &told["warnings"][0];
    let place = (&warned["file"], &warned["line"], &warned["column"]);
    assert_eq!(place, (&"dogpile.toml".into(), &6.into(), &14.into()));
    assert_eq!(warned["severity"], "warning");
    let message = warned["message"].as_str().unwrap();
    assert!(
        message.starts_with("`hang_after` has no effect below 4s: backend"),
        "{message}"
    );
    let remedy = warned["remedy"].as_str().unwrap();
    assert!(remedy.starts_with("write \"4s\" or more, or"), "{remedy}");
    assert_eq!(run.stderr, "");
    // It is what the backend says of itself.
    folder.write("dogpile.toml", &NOBODY.replace("2s", "4s"));
    let run = folder.dogpile(&["check"]);
    assert!(!run.stderr.contains("warning"), "{run:?}");
}

#[test]
fn a_storage_that_does_not_answer_is_told_with_what_to_search_for() {
    let folder = Folder::without_plugins(NOBODY);
    folder.add_plugin("redis");
    let run = folder.dogpile(&["check"]);
    let head = "dogpile.toml:4:11: error[storage-unavailable]: region `users`: backend `redis`";
    assert!(run.stderr.contains(head), "{run:?}");
    assert_eq!(run.stderr.matches("unavailable").count(), 1, "{run:?}");
    let run = folder.dogpile(&["check", "--json"]);
    let told: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    let error = &told["errors"][0];
    assert_eq!(error["code"], "storage-unavailable");
    let message = error["message"].as_str().unwrap();
    assert!(!message.contains("unavailable"), "{message}");
}

#[test]
fn all_regions_are_pinged_at_once() {
    let servers: Vec<_> = (0..3)
        .map(|_| TcpListener::bind("127.0.0.1:0").unwrap())
        .collect();
    let regions = servers.iter().enumerate().map(|(number, server)| {
        let port = server.local_addr().unwrap().port();
        format!(
            "[regions.r{number}]\nbackend = \"redis\"\nexpiration_time = \"5m\"\ninvalidation = \"local\"\n\
             arguments = {{ host = \"127.0.0.1\", port = {port}, socket_timeout = 60 }}\n"
        )
    });
    let regions: Vec<_> = regions.collect();
    let manifest = format!("version = 1\n[plugins.redis]\n{}", regions.concat());
    let folder = Folder::without_plugins(&manifest);
    folder.add_plugin("redis");
    // None answers before all are asked.
    let answering = thread::spawn(move || {
        let asked: Vec<_> = servers
            .iter()
            .map(|server| pinged(&server.accept().unwrap().0))
            .collect();
        for mut client in asked {
            client.write_all(b"+PONG\r\n").unwrap();
        }
    });
    folder
        .dogpile(&["check"])
        .is(0, "ok: 3 regions, 1 plugin\n", "");
    answering.join().unwrap();
}

/// A client that has asked.
fn pinged(client: &TcpStream) -> TcpStream {
    let mut asked = vec![0; b"*1\r\n$4\r\nPING\r\n".len()];
    let mut client = client.try_clone().unwrap();
    client.read_exact(&mut asked).unwrap();
    assert!(asked.ends_with(b"PING\r\n"), "{asked:?}");
    client
}

#[test]
fn what_a_server_says_is_not_contradicted_by_the_remedy() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = server.local_addr().unwrap().port();
    let folder = Folder::without_plugins(&format!(
        "version = 1\n[plugins.redis]\n[regions.users]\nbackend = \"redis\"\nexpiration_time = \"5m\"\n\
         invalidation = \"local\"\narguments = {{ host = \"127.0.0.1\", port = {port} }}\n"
    ));
    folder.add_plugin("redis");
    let answering = thread::spawn(move || {
        let (client, _) = server.accept().unwrap();
        pinged(&client)
            .write_all(b"-NOAUTH Authentication required.\r\n")
            .unwrap();
    });
    let run = folder.dogpile(&["check"]);
    answering.join().unwrap();
    assert_eq!((run.status, &*run.stdout), (Some(1), ""), "{run:?}");
    for part in [
        "wants a password: give `password`",
        "  = help: see to what it says, and that what it connects to is up; with --no-connect no server is asked\n",
    ] {
        assert!(run.stderr.contains(part), "{part:?}: {run:?}");
    }
}

#[test]
fn a_file_whose_entries_are_lost_is_told() {
    const TOLD: &str =
        "users.dbm: it is damaged, and was moved to users.dbm.damaged: its entries are lost";
    let damaged = || {
        let folder = Folder::on_dbm("");
        folder.dogpile(&["set", "users", "k", "1"]).is(0, "", "");
        let file = File::options().write(true).open(folder.path("users.dbm"));
        file.unwrap().write_all_at(&[0xff; 4096], 64).unwrap();
        folder
    };
    let run = damaged().dogpile(&["check"]);
    let start = format!("dogpile.toml:4:1: warning: {TOLD}");
    assert!(run.stderr.starts_with(&start), "{run:?}");
    assert_eq!(
        (run.status, &*run.stdout),
        (Some(0), "ok: 1 region, 2 plugins\n")
    );
    let run = damaged().dogpile(&["check", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    let message = json["warnings"][0]["message"].as_str().unwrap();
    assert!(message.starts_with(TOLD), "{json:#}");
    let run = damaged().dogpile(&["get", "users", "k"]);
    assert!(
        run.stderr.starts_with(&format!("warning: {TOLD}")),
        "{run:?}"
    );
    assert_eq!(run.status, Some(3));
}
