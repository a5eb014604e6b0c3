use std::fs;

use crate::support::{Folder, PAGES};

#[test]
fn listed_plugins_are_described_and_others_are_named() {
    let folder = Folder::new(
        "version = 1\n[host]\nplugin_dir = \"plugins\"\n[plugins.null]\n[plugins.mine]\nfile = \
         \"libdogpile_plugin_manglers.so\"\n",
    );
    folder.dogpile(&["plugins"]).is(
        0,
        r#"mine: plugins/libdogpile_plugin_manglers.so
  package: dogpile-plugin-manglers 0.1.0
  plugin API: 1.1.0
  compiler: [RUSTC]
  sha256: [SHA256]
  key mangler: sha1
  key mangler: length
    max: integer = 250
    then: "sha1"

null: plugins/libdogpile_plugin_null.so
  package: dogpile-plugin-null 0.1.0
  plugin API: 1.1.0
  compiler: [RUSTC]
  sha256: [SHA256]
  backend: null

not listed: plugins/libdogpile_plugin_memory.so
  package: dogpile-plugin-memory
  plugin API: 1.1.0
  compiler: [RUSTC]
  sha256: [SHA256]
"#,
        "",
    );
}

#[test]
fn a_listed_plugin_that_is_missing_is_an_error_and_a_broken_other_file_is_not() {
    let folder = Folder::new(PAGES);
    folder.write("plugins/libdogpile_plugin_null.so", "text");
    assert_eq!(folder.dogpile(&["plugins"]).status, Some(0));
    fs::remove_file(folder.path("plugins/libdogpile_plugin_memory.so")).unwrap();
    let run = folder.dogpile(&["plugins"]);
    assert_eq!(run.status, Some(1));
    let start = "memory: plugins/libdogpile_plugin_memory.so\n  error[file-not-found]: ";
    assert!(run.stdout.starts_with(start), "{run:?}");
    assert!(
        run.stdout
            .contains("not listed: plugins/libdogpile_plugin_null.so\n  error[elf-not-one]: "),
        "{run:?}"
    );
}

#[test]
fn the_json_holds_the_schema_of_the_arguments() {
    let folder = Folder::new(PAGES);
    let command = folder.command(&["plugins", "--json"]).output().unwrap();
    let json: serde_json::Value = serde_json::from_slice(&command.stdout).unwrap();
    let memory = &json[0];
    assert_eq!(memory["name"], "memory");
    assert_eq!(memory["sha256"].as_str().unwrap().len(), 64);
    let arguments = &memory["backends"][0]["arguments"]["properties"];
    assert!(arguments["max_entries"].is_object(), "{json:#}");
    assert_eq!(json[1]["name"], serde_json::Value::Null);
    assert_eq!(json[1]["package"], "dogpile-plugin-manglers");
}

#[test]
fn proxies_are_described_with_their_arguments() {
    let manifest = "version = 1\n[host]\nplugin_dir = \"plugins\"\n[plugins.proxies]\n";
    let folder = Folder::without_plugins(manifest);
    folder.add_plugin("proxies");
    folder.dogpile(&["plugins"]).is(
        0,
        r#"proxies: plugins/libdogpile_plugin_proxies.so
  package: dogpile-plugin-proxies 0.1.0
  plugin API: 1.1.0
  compiler: [RUSTC]
  sha256: [SHA256]
  proxy: log
    level: "error" or "warn" or "info" or "debug" or "trace" = "debug"
  proxy: zstd
    level: integer = 3
    max_size: integer = 268435456
    min_size: integer = 256
"#,
        "",
    );
}

#[test]
fn a_template_cache_is_described_with_its_arguments() {
    let manifest = "version = 1\n[host]\nplugin_dir = \"plugins\"\n[plugins.template-cache]\n";
    let folder = Folder::without_plugins(manifest);
    folder.add_plugin("template_cache");
    let run = folder.dogpile(&["plugins"]);
    assert_eq!(run.status, Some(0), "{run:?}");
    for line in [
        "  template cache: template-cache\n",
        "    expiration_time: number or string\n",
        "    region: string = \"pages\"\n",
    ] {
        assert!(run.stdout.contains(line), "no {line:?} in {run:?}");
    }
}

#[test]
fn either_all_files_of_a_manifest_are_pinned_or_none() {
    let folder = Folder::new(&format!("include = [\"z.toml\"]\n{PAGES}"));
    let long = format!("[plugins.null]\n# {}\n", "-".repeat(50_000));
    folder.write("z.toml", &long);
    let files = ["dogpile.toml", "z.toml"].map(|file| folder.path(file));
    let texts = || {
        files
            .each_ref()
            .map(|file| fs::read_to_string(file).unwrap())
    };
    let before = texts();
    let run = folder.dogpile_limited(16, &["plugins", "--pin"]);
    assert_eq!(texts(), before);
    run.is(
        1,
        "",
        "error: z.toml cannot be written, and nothing was changed; pin a copy that can, and put it in its place: File too \
         large (os error 27)\n",
    );
    // Nothing else is left there.
    let beside = fs::read_dir(folder.path("")).unwrap().count();
    assert_eq!(beside, ["dogpile.toml", "z.toml", "plugins", "run"].len());
    assert_eq!(folder.dogpile(&["plugins", "--pin"]).status, Some(0));
    for text in texts() {
        assert_eq!(text.matches("\nsha256 = \"").count(), 1);
    }
}
