use std::process::Command;
use std::time::{Duration, Instant};

use crate::support::{Ended, Exec, tick, until, wait};

/// Old as soon as it is there.
const OLD: [&str; 4] = ["--expiration-time", "0", "--max-stale", "1h"];

/// Runs a script, and waits until what it made is old.
fn run(exec: &Exec, options: &[&str], script: &str) -> Ended {
    let ended = exec.run(options, script);
    tick();
    ended
}

#[test]
fn an_old_output_is_printed_at_once_and_one_run_goes_on_behind() {
    let exec = Exec::new();
    exec.gate("gate");
    let script = "test $(wc -l < runs) = 1 || read x < gate; wc -l < runs";
    run(&exec, &OLD, script).is(0, "1\n", "");
    for _ in 0..5 {
        run(&exec, &OLD, script).is(0, "1\n", "");
    }
    let gate = exec.meet("gate");
    for _ in 0..5 {
        run(&exec, &OLD, script).is(0, "1\n", "");
    }
    assert_eq!(exec.runs(), 2);
    drop(gate);
    // From then on it is fresh for who lets it be.
    until("the new one is kept", || {
        exec.run(&["--expiration-time", "1h"], script).stdout == b"2\n"
    });
    // Of the others that were started nobody runs it again.
    exec.until_alone();
    assert_eq!(exec.runs(), 2);
}

#[test]
fn the_run_behind_has_nothing_of_its_caller() {
    let exec = Exec::new();
    exec.gate("gate");
    let script = "test $(wc -l < runs) = 1 || { ps -o sid= -p $$ > sid; readlink /proc/$$/fd/0 > stdin; read x < gate; }";
    run(&exec, &OLD, script);
    // That this call ends says that nobody behind it holds its output open.
    run(&exec, &OLD, script);
    let gate = exec.meet("gate");
    let kept = |name| std::fs::read_to_string(exec.path(name)).unwrap();
    // The session of a process in a namespace of its own may have no number, which reads as 0.
    let own = Command::new("ps")
        .args(["-o", "sid=", "-p", &std::process::id().to_string()])
        .output()
        .unwrap();
    assert_ne!(kept("sid").trim().as_bytes(), own.stdout.trim_ascii());
    assert_eq!(kept("stdin"), "/dev/null\n");
    drop(gate);
}

#[test]
fn the_run_behind_holds_nothing_open_that_the_caller_has() {
    let exec = Exec::new();
    exec.gate("gate");
    let script = "test $(wc -l < runs) = 1 || read x < gate; echo out";
    run(&exec, &OLD, script).is(0, "out\n", "");
    // It would not end as long as somebody has the other end.
    let mut call = exec.through_shell("exec 9>&1; exec", &exec.script(&OLD, script));
    wait(call.spawn().unwrap()).is(0, "out\n", "");
    drop(exec.meet("gate"));
}

#[test]
fn an_output_that_is_too_old_is_waited_for() {
    let exec = Exec::new();
    let options = ["--expiration-time", "0", "--max-stale", "0"];
    run(&exec, &options, "wc -l < runs").is(0, "1\n", "");
    run(&exec, &options, "wc -l < runs").is(0, "2\n", "");
}

const IF_ERROR: [&str; 6] = [
    "--expiration-time",
    "0",
    "--max-stale",
    "0",
    "--stale-if-error",
    "1h",
];

#[test]
fn an_old_output_stands_in_for_a_run_that_fails() {
    let exec = Exec::new();
    let script = "echo $(wc -l < runs); test $(wc -l < runs) != 2 || { echo broken >&2; exit 5; }";
    run(&exec, &IF_ERROR, script).is(0, "1\n", "");
    run(&exec, &IF_ERROR, script).is(
        0,
        "1\n",
        "dogpile: the command failed (exit status 5); this is its output of 0s ago\n",
    );
}

#[test]
fn a_command_that_has_failed_just_now_is_left_alone_where_something_stands_in() {
    let exec = Exec::new();
    let script = "wc -l < runs; test $(wc -l < runs) = 1";
    run(&exec, &IF_ERROR, script).is(0, "1\n", "");
    let begin = Instant::now();
    exec.run(&IF_ERROR, script);
    let at_once = exec.run(&IF_ERROR, script);
    // On a machine that is this slow nothing is shown.
    if begin.elapsed() < Duration::from_secs(1) {
        at_once.is(0, "1\n", "");
        assert_eq!(exec.runs(), 2);
    }
}

#[test]
fn with_nothing_to_stand_in_a_run_that_fails_is_what_there_is() {
    let exec = Exec::new();
    run(&exec, &IF_ERROR, "echo out; echo err >&2; exit 5").is(5, "out\n", "err\n");
}

#[test]
fn what_would_stand_in_gives_way_to_a_run_that_does_not_fail() {
    let exec = Exec::new();
    run(&exec, &IF_ERROR, "wc -l < runs; echo err >&2").is(0, "1\n", "err\n");
    run(&exec, &IF_ERROR, "wc -l < runs; echo err >&2").is(0, "2\n", "err\n");
}

#[test]
fn an_output_that_is_held_back_and_too_large_is_printed() {
    let exec = Exec::new();
    let script = "test $(wc -l < runs) = 1 || head -c 33554433 /dev/zero; echo end; exit $(($(wc -l < runs) - 1))";
    run(&exec, &IF_ERROR, script).is(0, "end\n", "");
    let ended = run(&exec, &IF_ERROR, script);
    assert_eq!((ended.status, ended.stdout.len()), (1, 33_554_433 + 4));
}

#[test]
fn a_run_behind_that_fails_leaves_the_old_output() {
    let exec = Exec::new();
    let script = "test $(wc -l < runs) = 1 || exit 5; echo good";
    run(&exec, &OLD, script).is(0, "good\n", "");
    run(&exec, &OLD, script).is(0, "good\n", "");
    until("it was run", || exec.runs() == 2);
    let call = exec
        .script(&["--expiration-time", "1h"], script)
        .spawn()
        .unwrap();
    wait(call).is(0, "good\n", "");
}

#[test]
fn a_run_behind_that_has_failed_just_now_is_not_tried_again() {
    let exec = Exec::new();
    let script = "test $(wc -l < runs) = 1 || exit 5; echo good";
    run(&exec, &OLD, script).is(0, "good\n", "");
    let begin = Instant::now();
    for _ in 0..2 {
        exec.run(&OLD, script).is(0, "good\n", "");
        exec.until_alone();
    }
    // On a machine that is this slow nothing is shown.
    if begin.elapsed() < Duration::from_secs(1) {
        assert_eq!(exec.runs(), 2);
    }
}
