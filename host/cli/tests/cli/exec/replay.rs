use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};

use crate::support::{Exec, until, wait};

#[test]
fn a_command_is_run_once_and_replayed() {
    let exec = Exec::new();
    for _ in 0..3 {
        let ended = exec.run(&["--cache-failures"], "echo out; echo err >&2; exit 7");
        ended.is(7, "out\n", "err\n");
    }
    assert_eq!(exec.runs(), 1);
}

#[test]
fn a_command_that_fails_is_not_kept_unless_asked() {
    let exec = Exec::new();
    for _ in 0..2 {
        exec.run(&[], "echo out; exit 3").is(3, "out\n", "");
    }
    assert_eq!(exec.runs(), 2);
}

#[test]
fn any_byte_is_replayed() {
    let exec = Exec::new();
    let all: Vec<u8> = (0..=u8::MAX).cycle().take(300_000).collect();
    fs::write(exec.path("bytes"), &all).unwrap();
    for _ in 0..2 {
        let ended = exec.run(&[], "cat bytes; cat bytes >&2");
        assert!(ended.stdout == all && ended.stderr == all);
    }
    assert_eq!(exec.runs(), 1);
}

#[test]
fn both_streams_are_replayed_in_the_order_in_which_they_came() {
    let exec = Exec::new();
    exec.gate("one");
    exec.gate("two");
    let both = fs::File::create(exec.path("both")).unwrap();
    let mut command = exec.script(
        &[],
        "printf a; read x < one; printf b >&2; read x < two; printf c",
    );
    command.stdout(both.try_clone().unwrap()).stderr(both);
    let child = command.spawn().unwrap();
    let printed = || fs::read_to_string(exec.path("both")).unwrap();
    // It is printed while it is being made.
    until("a", || printed() == "a");
    exec.open("one");
    until("ab", || printed() == "ab");
    exec.open("two");
    wait(child).is(0, "", "");
    assert_eq!(printed(), "abc");
    fs::write(exec.path("both"), "").unwrap();
    let both = fs::OpenOptions::new()
        .append(true)
        .open(exec.path("both"))
        .unwrap();
    let child = command
        .stdout(both.try_clone().unwrap())
        .stderr(both)
        .spawn()
        .unwrap();
    wait(child).is(0, "", "");
    assert_eq!((printed().as_str(), exec.runs()), ("abc", 1));
}

#[test]
fn the_end_by_a_signal_is_replayed() {
    let exec = Exec::new();
    for signal in [9, 11, 15] {
        for _ in 0..2 {
            let ended = exec.run(
                &["--cache-failures"],
                &format!("echo out; kill -{signal} $$"),
            );
            ended.is(128 + signal, "out\n", "");
        }
    }
    assert_eq!(exec.runs(), 3);
}

#[test]
fn the_command_has_nothing_on_its_standard_input() {
    let exec = Exec::new();
    fs::write(exec.path("input"), "mine").unwrap();
    let mut command = exec.script(&[], "cat; echo end");
    let input = fs::File::open(exec.path("input")).unwrap();
    let child = command.stdin(Stdio::from(input)).spawn().unwrap();
    wait(child).is(0, "end\n", "");
}

#[test]
fn another_run_is_made_when_asked_and_kept() {
    let exec = Exec::new();
    exec.run(&[], "wc -l < runs").is(0, "1\n", "");
    exec.run(&["--refresh"], "wc -l < runs").is(0, "2\n", "");
    exec.run(&[], "wc -l < runs").is(0, "2\n", "");
}

#[test]
fn the_cache_can_be_switched_off() {
    let exec = Exec::new();
    for _ in 0..2 {
        let mut command = exec.script(&[], "echo out; exit 4");
        let child = command.env("DOGPILE_EXEC", "off").spawn().unwrap();
        wait(child).is(4, "out\n", "");
    }
    assert_eq!(exec.runs(), 2);
    assert!(!exec.cached("").exists());
}

#[test]
fn what_the_command_leaves_behind_may_still_print() {
    let exec = Exec::new();
    exec.gate("gate");
    let child = exec
        .script(&[], "echo early; (read x < gate; echo late) &")
        .spawn()
        .unwrap();
    exec.open("gate");
    wait(child).is(0, "early\nlate\n", "");
    exec.run(&[], "echo early; (read x < gate; echo late) &")
        .is(0, "early\nlate\n", "");
    assert_eq!(exec.runs(), 1);
}

#[test]
fn a_script_that_names_no_interpreter_is_the_shells() {
    let exec = Exec::new();
    fs::create_dir(exec.path("bin")).unwrap();
    fs::write(exec.path("bin/script"), "echo $0 $1; exit 3\n").unwrap();
    let mode = fs::Permissions::from_mode(0o755);
    fs::set_permissions(exec.path("bin/script"), mode).unwrap();
    let whole = exec.path("bin/script").display().to_string();
    for off in ["", "off"] {
        let run = |program| {
            let mut call = exec.command(&["--", program, "a b"]);
            call.env("PATH", exec.path("bin")).env("DOGPILE_EXEC", off);
            wait(call.spawn().unwrap())
        };
        run("bin/script").is(3, "bin/script a b\n", "");
        run("script").is(3, &format!("{whole} a b\n"), "");
    }
}

#[test]
fn the_command_alone_dumps_a_core() {
    let exec = Exec::new();
    let dumps = |command: &Command| {
        let mut call = exec.through_shell("ulimit -c unlimited && exec", command);
        let output = call.output().unwrap();
        assert_eq!(output.status.signal(), Some(6));
        output.status.core_dumped()
    };
    let script = ["sh", "-c", "kill -ABRT $$"];
    let mut alone = Command::new(script[0]);
    alone.args(&script[1..]);
    if !dumps(&alone) {
        eprintln!("not run: nothing dumps a core here");
        return;
    }
    let call = [&["--cache-failures", "--"][..], &script].concat();
    for _ in 0..2 {
        assert!(!dumps(&exec.command(&call)));
    }
}
