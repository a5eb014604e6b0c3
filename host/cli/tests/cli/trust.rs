use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};

use crate::support::Folder;

const MANIFEST: &str = "# ours\nversion = 1 # always\ninclude = [\"more.toml\"]\n\n# what holds values\n[plugins.memory]\n\n[regions.pages]\nbackend = \
                        \"memory\" # lost at a restart\nexpiration_time = \"1m\"\n";

fn folder() -> Folder {
    let folder = Folder::without_plugins(MANIFEST);
    folder.write("more.toml", "plugins.null = {} # nothing\n");
    for name in ["memory", "null"] {
        folder.add_plugin(name);
    }
    folder
}

fn digest(folder: &Folder, name: &str) -> String {
    let file = folder.path(&format!("plugins/libdogpile_plugin_{name}.so"));
    let output = std::process::Command::new("sha256sum")
        .arg(file)
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap()[..64].to_owned()
}

fn read(folder: &Folder, name: &str) -> String {
    fs::read_to_string(folder.path(name)).unwrap()
}

#[test]
fn digests_are_written_beside_the_names_and_comments_stay() {
    let folder = folder();
    let (memory, null) = (digest(&folder, "memory"), digest(&folder, "null"));
    // A link to the manifest stays one, and its mode stays.
    fs::rename(folder.path("dogpile.toml"), folder.path("real.toml")).unwrap();
    fs::set_permissions(folder.path("real.toml"), Permissions::from_mode(0o640)).unwrap();
    symlink("real.toml", folder.path("dogpile.toml")).unwrap();
    folder.dogpile(&["plugins", "--pin"]).is(
        0,
        "dogpile.toml: memory: [SHA256]\nmore.toml: null: [SHA256]\n",
        "",
    );
    assert!(folder.path("dogpile.toml").is_symlink());
    let mode = fs::metadata(folder.path("real.toml"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o640);
    let pinned = format!("[plugins.memory]\nsha256 = \"{memory}\"\n");
    let expected = MANIFEST.replace("[plugins.memory]\n", &pinned);
    assert_eq!(read(&folder, "dogpile.toml"), expected);
    let expected = format!("plugins.null = {{ sha256 = \"{null}\" }} # nothing\n");
    assert_eq!(read(&folder, "more.toml"), expected);
    assert_eq!(folder.dogpile(&["check"]).status, Some(0));
    // Once more changes nothing.
    assert_eq!(folder.dogpile(&["plugins", "--pin"]).status, Some(0));
    assert_eq!(read(&folder, "more.toml"), expected);
}

#[test]
fn a_file_that_is_not_the_pinned_one_is_refused_until_it_is_pinned_anew() {
    let folder = folder();
    assert_eq!(folder.dogpile(&["plugins", "--pin"]).status, Some(0));
    let before = digest(&folder, "memory");
    let file = folder.path("plugins/libdogpile_plugin_memory.so");
    let mut bytes = fs::read(&file).unwrap();
    bytes.push(0);
    fs::write(&file, bytes).unwrap();
    for command in ["check", "plugins"] {
        let run = folder.dogpile(&[command]);
        assert_eq!(run.status, Some(1));
        let told = format!("{}{}", run.stdout, run.stderr);
        assert!(told.contains("dogpile plugins --pin"), "{told}");
    }
    assert_eq!(folder.dogpile(&["plugins", "--pin"]).status, Some(0));
    let after = read(&folder, "dogpile.toml");
    assert!(after.contains(&digest(&folder, "memory")) && !after.contains(&before));
    assert_eq!(folder.dogpile(&["check"]).status, Some(0));
}

#[test]
fn if_one_file_cannot_be_loaded_none_is_pinned() {
    let folder = folder();
    folder.write("plugins/libdogpile_plugin_null.so", "no library");
    let run = folder.dogpile(&["plugins", "--pin"]);
    assert_eq!(run.status, Some(1));
    assert!(
        run.stderr.contains("more.toml:1:") && run.stderr.contains("not an ELF file"),
        "{run:?}"
    );
    assert_eq!(read(&folder, "dogpile.toml"), MANIFEST);
}

#[test]
fn whose_files_are_trusted_is_said_by_the_environment() {
    let folder = folder();
    let file = folder.path("dogpile.toml");
    let check = |trust: &str| {
        let mut command = folder.command(&["check", "--no-connect"]);
        let output = command.env("DOGPILE_TRUST", trust).output().unwrap();
        (
            output.status.code().unwrap(),
            String::from_utf8(output.stderr).unwrap(),
        )
    };
    for (mode, trust, status, text) in [
        (0o664, "strict", 1, "chmod g-w"),
        (0o664, "owner", 0, ""),
        (0o666, "owner", 1, "chmod o-w"),
        (0o666, "off", 0, ""),
        (0o644, "strict", 0, ""),
        (
            0o644,
            "stric",
            1,
            "set DOGPILE_TRUST to strict, owner or off",
        ),
        (0o644, "", 1, "set DOGPILE_TRUST to strict, owner or off"),
    ] {
        fs::set_permissions(&file, Permissions::from_mode(mode)).unwrap();
        let (found, stderr) = check(trust);
        assert_eq!(found, status, "{mode:o} {trust}: {stderr}");
        assert!(stderr.contains(text), "{stderr}");
    }
}

/// As Kubernetes lays a `ConfigMap` out: links over a folder that everybody may write in, on a mount that is read-only
/// for the container.
#[test]
fn what_lies_on_a_read_only_mount_is_trusted_whatever_its_modes() {
    let folder = folder();
    let in_namespace = |script: &str| {
        let mut command = std::process::Command::new("unshare");
        command.args(["--mount", "sh", "-ec", script, "sh"]);
        command
            .arg(env!("CARGO_BIN_EXE_dogpile"))
            .current_dir(folder.path(""));
        command
            .env("DOGPILE_TRUST", "strict")
            .env_remove("RUST_LOG")
            .output()
            .unwrap()
    };
    if !in_namespace("mkdir map; mount -t tmpfs -o mode=0777 map map")
        .status
        .success()
    {
        eprintln!("skipped: no mounts for us");
        return;
    }
    let script = "mount -t tmpfs -o mode=0777 map map; mkdir -m 0777 map/..1
        cp dogpile.toml more.toml map/..1; cp -r plugins map/..1; chmod -R a+rwX map/..1
        ln -s ..1 map/..data; for name in dogpile.toml more.toml plugins; do ln -s ..data/$name map/$name; done
        if $1 --manifest map/dogpile.toml check --no-connect; then exit 9; fi
        mount -o remount,ro map; $1 --manifest map/dogpile.toml check --no-connect";
    let output = in_namespace(script);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(
        stderr.contains("is not trusted: the folder") && stderr.contains("map above it"),
        "{stderr}"
    );
    assert_eq!(output.status.code(), Some(0), "{stderr}");
    assert_eq!(
        String::from_utf8(output.stdout).unwrap(),
        "ok: 1 region, 2 plugins\n"
    );
}
