use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::Value as Json;

use crate::support::{Folder, PAGES};

const MEMORY: &str = "plugins/libdogpile_plugin_memory.so";
const NULL: &str = "plugins/libdogpile_plugin_null.so";

#[test]
fn a_table_has_a_row_for_each_case_and_counts_them() {
    let folder = Folder::new(PAGES);
    let mut words = vec!["conformance", NULL];
    for case in [
        "sixteen_mebibytes_survive",
        "what_was_stored_is_found",
        "a_held_mutex_is_not_taken_again",
    ] {
        words.extend(["--case", case]);
    }
    words.extend(["--largest-value", "1MiB"]);
    folder.dogpile(&words).is(
        0,
        "plugins/libdogpile_plugin_null.so: backend null of dogpile-plugin-null 0.1.0, plugin API 1.1.0

SUITE       CASE                             OUTCOME
backend     it_opens_and_answers             passed
backend     what_was_stored_is_found         passed
serializer  sixteen_mebibytes_survive        skipped: values of more than 1048576 bytes are not to be tried
mutex       a_held_mutex_is_not_taken_again  not supported: this backend has no mutex

2 passed, 0 failed, 1 not supported, 1 skipped
",
        "",
    );
}

#[test]
fn the_json_is_what_the_help_says() {
    let folder = Folder::new(PAGES);
    let words = [
        "conformance",
        "--json",
        MEMORY,
        "--backend",
        "memory",
        "--arguments",
        "-",
        "--case",
        "a_held_mutex_is_not_taken_again",
    ];
    let run = folder.dogpile_with(&words, "max_entries = 1000\nstorage = \"bytes\"\n");
    assert_eq!((run.status, &*run.stderr), (Some(0), ""), "{run:?}");
    let mut json: Json = serde_json::from_str(&run.stdout).unwrap();
    for case in json["cases"].as_array_mut().unwrap() {
        assert!(case["seconds"].as_f64().unwrap() >= 0.0);
        case["seconds"] = 0.into();
    }
    let expected = serde_json::json!({
        "file": MEMORY,
        "package": "dogpile-plugin-memory",
        "version": "0.1.0",
        "api_version": "1.1.0",
        "sha256": "[SHA256]",
        "backend": "memory",
        "passed": 1,
        "failed": 0,
        "not_supported": 1,
        "skipped": 0,
        "cases": [
            {
                "suite": "backend",
                "case": "it_opens_and_answers",
                "outcome": "passed",
                "detail": null,
                "seconds": 0
            },
            {
                "suite": "mutex",
                "case": "a_held_mutex_is_not_taken_again",
                "outcome": "not supported",
                "detail": "this backend has no mutex",
                "seconds": 0
            },
        ],
    });
    let sha256 = json["sha256"].as_str().unwrap();
    assert_eq!(sha256.len(), 64, "{sha256}");
    json["sha256"] = "[SHA256]".into();
    assert_eq!(json, expected);
    let help = folder.dogpile(&["conformance", "--help"]).stdout;
    for key in expected.as_object().unwrap().keys() {
        assert!(help.contains(&format!("`{key}`")), "{key}: {help}");
    }
    for key in expected["cases"][0].as_object().unwrap().keys() {
        assert!(help.contains(&format!("`{key}`")), "{key}: {help}");
    }
}

#[test]
fn a_backend_that_does_not_open_fails_the_first_case_and_the_others_are_skipped() {
    let folder = Folder::new(PAGES);
    let case = ["--case", "it_answers_a_ping"];
    let words = ["conformance", MEMORY, "--arguments", "max_entries = 0"];
    let run = folder.dogpile(&[&words[..], &case].concat());
    assert_eq!((run.status, &*run.stderr), (Some(1), ""), "{run:?}");
    for part in [
        "it_opens_and_answers  FAILED: a call failed [plugin-arguments]: ",
        "it_answers_a_ping     skipped: it_opens_and_answers failed, without which nothing can be looked at",
        "\n0 passed, 1 failed, 0 not supported, 1 skipped\n",
    ] {
        assert!(run.stdout.contains(part), "no {part:?} in {}", run.stdout);
    }
}

#[test]
fn what_cannot_be_looked_at_at_all_is_an_error() {
    let folder = Folder::new(PAGES);
    folder.add_plugin("redis");
    folder.write("text.so", "text");
    for (words, told) in [
        (
            &["plugins/libdogpile_plugin_manglers.so"][..],
            "error: plugins/libdogpile_plugin_manglers.so offers no backend, and the suites are for backends; a proxy is tested in \
             its crate, by `dogpile_plugin_api::testing::proxy_suite`\n",
        ),
        (
            &[MEMORY, "--backend", "memcached"],
            "error: plugins/libdogpile_plugin_memory.so offers no backend `memcached`; it offers `memory`\n",
        ),
        (
            &["plugins/libdogpile_plugin_redis.so"],
            "error: plugins/libdogpile_plugin_redis.so offers `redis`, `redis_cluster`, `redis_sentinel`, `valkey`, \
             `valkey_cluster`, `valkey_sentinel`; say which, such as --backend redis\n",
        ),
        (
            &["nothing.so"],
            "error: nothing.so: no such file [file-not-found]; put the plugin there, or correct the name or the folder\n",
        ),
    ] {
        folder
            .dogpile(&[&["conformance"], words].concat())
            .is(1, "", told);
    }
    let run = folder.dogpile(&["conformance", "text.so"]);
    let told = "error: text.so: it is not an ELF file";
    assert!(run.stderr.contains("[elf-not-one]"), "{run:?} {told}");
}

#[test]
fn whose_file_it_is_matters() {
    let folder = Folder::new(PAGES);
    let file = folder.path(NULL);
    fs::set_permissions(&file, fs::Permissions::from_mode(0o666)).unwrap();
    let mut command = folder.command(&["conformance", NULL, "--case", "it_answers_a_ping"]);
    let output = command.env("DOGPILE_TRUST", "strict").output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("chmod"), "{told}");
    // No manifest lists it.
    assert!(!told.contains("--pin"), "{told}");
}

#[test]
fn wrong_words_are_usage_errors() {
    let folder = Folder::new(PAGES);
    for (words, told) in [
        (["--arguments", "a b"], "line 1 is no TOML: "),
        (["--arguments", "a = nan"], "no nan"),
        (["--case", "it_flies"], "there is no such case"),
        (["--largest-value", "much"], "512KiB"),
        (["--limit", "long"], "write a time"),
    ] {
        let run = folder.dogpile(&[&["conformance", NULL], &words[..]].concat());
        assert_eq!((run.status, &*run.stdout), (Some(2), ""), "{run:?}");
        assert!(run.stderr.contains(told), "{told}: {run:?}");
    }
}

#[test]
fn a_password_is_in_no_row() {
    let folder = Folder::without_plugins("");
    folder.add_plugin("redis");
    let file = "plugins/libdogpile_plugin_redis.so";
    let arguments = "password = 87654321\nurl = \"redis://localhost:hush/0\"";
    let words = [
        "conformance",
        file,
        "--backend",
        "redis",
        "--arguments",
        arguments,
    ];
    for more in [&[][..], &["--json"]] {
        let run = folder.dogpile(&[&words[..], more].concat());
        assert_eq!(run.status, Some(1), "{run:?}");
        let all = run.stdout + &run.stderr;
        assert!(all.contains("password"), "{all}");
        assert!(!all.contains("87654321") && !all.contains("hush"), "{all}");
    }
}

#[test]
fn the_case_that_all_need_can_be_asked_for_and_no_time_is_none() {
    let folder = Folder::new(PAGES);
    let opens = ["conformance", MEMORY, "--case", "it_opens_and_answers"];
    let run = folder.dogpile(&opens);
    assert!(
        run.stdout
            .ends_with("\n1 passed, 0 failed, 0 not supported, 0 skipped\n"),
        "{run:?}"
    );
    assert_eq!(run.status, Some(0));
    let run = folder.dogpile(&["conformance", MEMORY, "--limit", "0s"]);
    assert_eq!(run.status, Some(2), "{run:?}");
}
