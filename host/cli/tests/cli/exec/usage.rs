use crate::support::{Exec, wait};

#[test]
fn dogpiles_own_failures_have_status_125() {
    let exec = Exec::new();
    for arguments in [
        &[][..],
        &["--bogus", "--", "true"],
        &["true"],
        &["--expiration-time", "soon", "--", "true"],
        // What a script makes of a variable that is not set.
        &["--key", "", "--", "true"],
        &["--env", "", "--", "true"],
        &["--env", "NAME=value", "--", "true"],
        &["--list", "--", "true"],
        &["--json", "--", "true"],
        &["--list", "--purge"],
    ] {
        let ended = wait(exec.command(arguments).spawn().unwrap());
        assert_eq!(
            (ended.status, &ended.stdout[..]),
            (125, &b""[..]),
            "{arguments:?}"
        );
        assert!(!ended.stderr.is_empty());
    }
}

#[test]
fn a_command_that_cannot_be_started_has_status_125() {
    let exec = Exec::new();
    for (command, why) in [
        ("no-such-command", "No such file or directory (os error 2)"),
        ("/", "Permission denied (os error 13)"),
    ] {
        let told = format!("dogpile: `{command}` cannot be started: {why}\n");
        for off in ["", "off"] {
            let mut call = exec.command(&["--", command]);
            wait(call.env("DOGPILE_EXEC", off).spawn().unwrap()).is(125, "", &told);
        }
    }
}

#[test]
fn the_help_is_no_failure() {
    let exec = Exec::new();
    let ended = wait(exec.command(&["--help"]).spawn().unwrap());
    assert_eq!(ended.status, 0);
    let text = String::from_utf8(ended.stdout).unwrap();
    assert!(text.contains("dogpile exec --expiration-time 10m --max-stale 1h -- ./report.sh"));
    assert!(!text.contains("--behind"), "{text}");
}

#[test]
fn a_switch_that_is_not_understood_is_told() {
    let exec = Exec::new();
    let mut call = exec.command(&["--", "echo", "out"]);
    wait(call.env("DOGPILE_EXEC", "0").spawn().unwrap()).is(
        0,
        "out\n",
        "dogpile: DOGPILE_EXEC is `0`; only `off` and `on` are understood\n",
    );
}
