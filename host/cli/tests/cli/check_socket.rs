use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};

use crate::support::{Folder, Run};

/// With the manifest's `admin_socket`.
fn folder(socket: &str) -> Folder {
    Folder::without_plugins(&format!(
        "version = 1\n\n[host]\nadmin_socket = \"{socket}\"\n"
    ))
}

/// As the rules are where nobody sets others.
fn check(folder: &Folder) -> Run {
    let mut command = folder.command(&["check"]);
    command.env("DOGPILE_TRUST", "strict");
    folder.run(command)
}

#[test]
fn a_place_where_nobody_can_listen_is_an_error() {
    let long = format!("own/{}.sock", "x".repeat(100));
    let folder = folder(&long);
    let run = check(&folder);
    assert_eq!((run.status, run.stdout.as_str()), (Some(1), ""));
    let told = format!(
        "dogpile.toml:4:16: error: the admin socket {long} is too long for a socket: the most is 107 bytes\n"
    );
    assert!(run.stderr.starts_with(&told), "{run:?}");
}

#[test]
fn a_place_where_something_else_is_is_an_error() {
    let folder = folder("a.sock");
    folder.write("a.sock", "mine");
    let run = check(&folder);
    assert_eq!(run.status, Some(1));
    let told = "error: the admin socket a.sock is no socket, and is left alone\n";
    assert!(run.stderr.contains(told), "{run:?}");
    assert!(
        run.stderr.contains("help: remove it or set another path\n"),
        "{run:?}"
    );
}

/// The folder may come with the service, or be another user's.
#[test]
fn a_place_that_may_be_had_by_others_or_later_is_a_warning() {
    let folder = folder("own/a.sock");
    let warned = |told: &str| {
        let run = check(&folder);
        assert_eq!(run.stdout, "ok: 0 regions, 0 plugins\n", "{run:?}");
        assert_eq!(run.status, Some(0));
        let start = "dogpile.toml:4:16: warning: the admin socket own/a.sock ";
        assert!(run.stderr.starts_with(&format!("{start}{told}")), "{run:?}");
    };
    warned("cannot be reached: No such file or directory");
    fs::create_dir(folder.path("own")).unwrap();
    let mode = |mode| fs::set_permissions(folder.path("own"), Permissions::from_mode(mode));
    mode(0o777).unwrap();
    warned("is not trusted: its folder own can be written by its group and everybody (mode 0777)");
    mode(0o755).unwrap();
    check(&folder).is(0, "ok: 0 regions, 0 plugins\n", "");
    // Root looks at a service's folder, which is that user's.
    if chown(folder.path("own"), Some(4242), None).is_ok() {
        check(&folder).is(0, "ok: 0 regions, 0 plugins\n", "");
    }
}
