//! Types a page's commands.

use std::fmt::Write;
use std::fs::{self, File, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use dogpile_tests::outside::{Builder, workspace};
use dogpile_tests::plugin_file;
use rustix::process::{Pid, Signal, kill_process_group};

use crate::page::{Typed, matches};

/// What is `cargo` in a page: where the tests' fixtures are built, of the same versions, and what is to be optimised is not.
const CARGO: &str = r#"#!/bin/sh
export HOME="$BUILDER_HOME"
[ -e Cargo.lock ] || cp "$VERSIONS" Cargo.lock
words= release=
for word; do
  case $word in --release) release=yes ;; *) words="$words $word" ;; esac
done
"$CARGO" $words --offline || "$CARGO" $words || exit
[ "$release" ] || exit 0
name=lib$(sed -n 's/^name = "\(.*\)"$/\1/p' Cargo.toml | head -n 1 | tr - _).so
mkdir -p target/release
cp "$CARGO_TARGET_DIR/debug/$name" target/beside
mv target/beside "target/release/$name"
"#;

/// Between the outputs of two commands, with the status of the first.
const MARK: char = '\u{1}';

/// The folder of the built plugins, where the command is too.
fn built() -> PathBuf {
    let plugin = plugin_file("memory");
    plugin.parent().expect("it lies in a folder").to_owned()
}

/// Puts the page's `cargo` there, in a folder of its own, for which it waits until nobody else builds.
fn cargo(shell: &mut Command, bin: &Path) -> Builder {
    let builder = Builder::new(env!("CARGO_TARGET_TMPDIR"));
    fs::create_dir(bin).expect("it is new");
    let program = bin.join("cargo");
    fs::write(&program, CARGO).expect("there is room");
    fs::set_permissions(&program, Permissions::from_mode(0o755)).expect("it is ours");
    let variable = |name: &str| std::env::var_os(name);
    shell
        .env("CARGO", variable("CARGO").unwrap_or("cargo".into()))
        .env("CARGO_TARGET_DIR", builder.target())
        .env("CARGO_PROFILE_DEV_DEBUG", "false")
        .env("BUILDER_HOME", variable("HOME").unwrap_or_default())
        .env("VERSIONS", workspace().join("Cargo.lock"));
    builder
}

/// A new folder for a page in `root`, whose `plugins` has all plugins, and beside which `dogpile` is the project.
pub(crate) fn with_plugins(root: &Path) -> PathBuf {
    let folder = root.join("page");
    let plugins = folder.join("plugins");
    fs::create_dir_all(&plugins).expect("it is new");
    for file in fs::read_dir(built()).expect("it was built") {
        let file = file.expect("it can be listed").path();
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with("libdogpile_plugin_") && name.ends_with(".so") {
            symlink(&file, plugins.join(&*name)).expect("the folder is empty");
        }
    }
    symlink(workspace(), root.join("dogpile")).expect("the folder is empty");
    folder
}

/// Runs what a page has typed, in one shell in that folder, and tells where something else came of it than the page shows.
/// `root` is for what the shell itself needs. Whatever it leaves behind ends.
pub(crate) fn differences(page: &str, typed: &[Typed], root: &Path, folder: &Path) -> String {
    let output = run(typed, root, folder);
    let mut parts = output.split(MARK);
    let mut told = String::new();
    for one in typed {
        let (found, status) = (parts.next(), parts.next());
        let found = found.unwrap_or_default();
        if status != Some("0") || !matches(&one.expected, found) {
            let _ = writeln!(
                told,
                "{page}:{}: status {}\n{}\n--- expected:\n{}--- found:\n{found}",
                one.line,
                status.unwrap_or("unknown: the shell has ended"),
                one.command,
                one.expected,
            );
        }
    }
    told
}

fn run(typed: &[Typed], root: &Path, folder: &Path) -> String {
    let mut script = String::from("exec 2>&1\n");
    for one in typed {
        let _ = write!(script, "{}\nprintf '{MARK}%d{MARK}' $?\n", one.command);
    }
    fs::write(root.join("script"), script).expect("there is room");
    // A file, since what goes on in the background would keep a pipe open.
    let output = root.join("output");
    let path = std::env::var("PATH").expect("there is one");
    let bin = root.join("bin");
    let mut shell = Command::new("sh");
    let builds = typed.iter().any(|one| one.command.starts_with("cargo "));
    let _builder = builds.then(|| cargo(&mut shell, &bin));
    let mut shell = shell
        .arg(root.join("script"))
        .current_dir(folder)
        .env(
            "PATH",
            format!("{}:{}:{path}", bin.display(), built().display()),
        )
        .env("HOME", folder)
        .env("TMPDIR", root)
        .env_remove("DOGPILE_MANIFEST")
        .env_remove("RUST_LOG")
        .env_remove("XDG_CACHE_HOME")
        .stdin(Stdio::null())
        .stdout(File::create(&output).expect("there is room"))
        .process_group(0)
        .spawn()
        .expect("there is a shell");
    shell.wait().expect("it is a child");
    // An error if there is nobody left.
    let _ = kill_process_group(Pid::from_child(&shell), Signal::KILL);
    fs::read_to_string(&output).expect("it was written")
}
