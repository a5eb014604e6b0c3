use std::fs;

use crate::support::Folder;

const FILES: [&str; 8] = [
    ".gitignore",
    "Cargo.toml",
    "README.md",
    "dogpile.toml",
    "src/arguments.rs",
    "src/lib.rs",
    "src/locks.rs",
    "tests/conformance.rs",
];

fn next(folder: &str) -> String {
    next_by(folder, folder)
}

/// With that word for the folder in the command.
fn next_by(folder: &str, word: &str) -> String {
    format!(
        "{folder}: a plugin with the backend `my-store`, which keeps values in memory until you change src/lib.rs\n\nnext:\n  \
         cd {word}\n  cargo test\n  cargo build --release\n  dogpile conformance \
         target/release/libdogpile_plugin_my_store.so\n  dogpile check\n\nREADME.md there says how to build it for older \
         systems, pin it and ship it.\n"
    )
}

#[test]
fn a_crate_is_written_and_what_comes_next_is_told() {
    let folder = Folder::without_plugins("");
    let run = folder.dogpile(&["new-plugin", "my-store"]);
    run.is(0, &next("dogpile-plugin-my-store"), "");
    for file in FILES {
        let text = fs::read_to_string(folder.path("dogpile-plugin-my-store").join(file)).unwrap();
        assert!(!text.contains("acme"), "{file}: {text}");
    }
    let manifest = fs::read_to_string(folder.path("dogpile-plugin-my-store/Cargo.toml")).unwrap();
    assert!(manifest.contains("name = \"dogpile-plugin-my-store\"\n"));
    assert!(manifest.contains("\ndogpile-plugin-api = \"1\"\n"));
    // As the manifest of the example has it.
    let run = folder.dogpile(&[
        "check",
        "--no-connect",
        "--manifest",
        "dogpile-plugin-my-store/dogpile.toml",
    ]);
    let missing =
        "dogpile-plugin-my-store/target/release/libdogpile_plugin_my_store.so: no such file";
    assert!(run.stderr.contains(missing), "{run:?}");
}

#[test]
fn it_is_written_elsewhere_for_a_local_interface() {
    let folder = Folder::without_plugins("");
    folder.write(
        "api/Cargo.toml",
        "[package]\nname = \"dogpile-plugin-api\"\n",
    );
    let run = folder.dogpile(&[
        "new-plugin",
        "my-store",
        "--path",
        "plugins/mine",
        "--plugin-api",
        "api",
    ]);
    run.is(0, &next("plugins/mine"), "");
    let manifest = fs::read_to_string(folder.path("plugins/mine/Cargo.toml")).unwrap();
    let api = folder.path("api").canonicalize().unwrap();
    let line = format!(
        "\ndogpile-plugin-api = {{ path = \"{}\" }}\n",
        api.display()
    );
    assert!(manifest.contains(&line), "{manifest}");
}

#[test]
fn nothing_is_written_over_and_nothing_into_what_is_there() {
    let folder = Folder::without_plugins("");
    folder.write("dogpile-plugin-a/notes", "mine");
    folder.write("file", "mine");
    for (words, what) in [
        (&["new-plugin", "a"][..], "dogpile-plugin-a"),
        (&["new-plugin", "b", "--path", "file"], "file"),
    ] {
        let told = format!(
            "error: {what} is there already, and nothing was written; take another folder by --path\n"
        );
        folder.dogpile(words).is(1, "", &told);
    }
    let left = fs::read_dir(folder.path("dogpile-plugin-a")).unwrap();
    assert_eq!(left.count(), 1);
    // An empty folder is as good as none.
    fs::create_dir(folder.path("empty")).unwrap();
    let run = folder.dogpile(&["new-plugin", "b", "--path", "empty"]);
    assert_eq!(run.status, Some(0), "{run:?}");
}

#[test]
fn a_wrong_name_is_a_usage_error_that_says_what_is_right() {
    let folder = Folder::without_plugins("");
    for (name, why) in [
        (
            "My Store",
            "write lower-case letters, digits, `-` and `_`, with a letter or digit first, such as `my-store`",
        ),
        (
            "dogpile-plugin-etcd",
            "the crate's name begins so by itself; write `etcd`",
        ),
        (
            "redis",
            "a plugin of that name comes with dogpile; take another",
        ),
    ] {
        let told = format!(
            "error: invalid value '{name}' for '<NAME>': {why}\n\nFor more information, try '--help'.\n"
        );
        folder.dogpile(&["new-plugin", name]).is(2, "", &told);
    }
    let run = folder.dogpile(&["new-plugin", "a", "--plugin-api", "nowhere"]);
    let told = "error: nowhere has no Cargo.toml of dogpile-plugin-api; give the folder that has it, or leave --plugin-api \
                out\n";
    run.is(1, "", told);
    assert!(!folder.path("dogpile-plugin-a").exists());
}

#[test]
fn a_folder_with_a_blank_is_quoted_where_it_can_be_pasted() {
    let folder = Folder::without_plugins("");
    let run = folder.dogpile(&["new-plugin", "my-store", "--path", "it's mine"]);
    run.is(0, &next_by("it's mine", r"'it'\''s mine'"), "");
}

#[test]
fn a_link_that_leads_nowhere_is_told_as_that() {
    let folder = Folder::without_plugins("");
    std::os::unix::fs::symlink("nowhere", folder.path("link")).unwrap();
    let told = "error: link is a link to nowhere, which is not there; make that folder, remove the link, or take another \
                folder by --path\n";
    folder
        .dogpile(&["new-plugin", "my-store", "--path", "link"])
        .is(1, "", told);
    fs::create_dir(folder.path("nowhere")).unwrap();
    let run = folder.dogpile(&["new-plugin", "my-store", "--path", "link"]);
    assert_eq!(run.status, Some(0), "{run:?}");
}

#[test]
fn what_was_made_is_removed_again_if_the_rest_cannot_be() {
    let folder = Folder::without_plugins("");
    folder.write("there/kept", "");
    let failed = |path: &str| {
        let run = folder.dogpile_limited(2, &["new-plugin", "mine", "--path", path]);
        let told = format!(
            "error: {path}/src/lib.rs cannot be written, and what was made is removed again: File too large (os error 27)\n"
        );
        run.is(1, "", &told);
    };
    let names = |path: &str| {
        let entries = fs::read_dir(folder.path(path)).unwrap();
        entries
            .map(|entry| entry.unwrap().file_name())
            .collect::<Vec<_>>()
    };
    failed("there/new/mine");
    assert_eq!(names("there"), ["kept"]);
    // A folder that was there stays.
    fs::create_dir(folder.path("there/empty")).unwrap();
    failed("there/empty");
    assert!(names("there/empty").is_empty());
    let run = folder.dogpile(&["new-plugin", "mine", "--path", "there/empty"]);
    assert_eq!(run.status, Some(0), "{run:?}");
}
