use std::process::{Child, Command};

use rustix::process::{Pid, Signal, kill_process};

use crate::support::{Exec, until, wait};

const SCRIPT: &str = "echo out; echo err >&2; read x < gate; wc -l < runs";

fn kill(child: &Child) {
    kill_process(Pid::from_child(child), Signal::KILL).unwrap();
}

fn started(exec: &Exec, options: &[&str], script: &str) -> Child {
    exec.script(options, script).spawn().unwrap()
}

#[test]
fn fifty_calls_at_once_run_the_command_once() {
    let exec = Exec::new();
    exec.gate("gate");
    let calls: Vec<_> = (0..50).map(|_| started(&exec, &[], SCRIPT)).collect();
    exec.until_waiting(49);
    exec.open("gate");
    for call in calls {
        wait(call).is(0, "out\n1\n", "err\n");
    }
    assert_eq!(exec.runs(), 1);
}

#[test]
fn a_run_that_fails_is_shared_with_who_waited_for_it_and_with_nobody_else() {
    let exec = Exec::new();
    exec.gate("gate");
    let script = format!("{SCRIPT}; exit 9");
    let calls: Vec<_> = (0..10).map(|_| started(&exec, &[], &script)).collect();
    exec.until_waiting(9);
    exec.open("gate");
    for call in calls {
        wait(call).is(9, "out\n1\n", "err\n");
    }
    let later = started(&exec, &[], &script);
    exec.open("gate");
    wait(later).is(9, "out\n2\n", "err\n");
}

#[test]
fn who_waited_for_an_output_that_is_too_large_runs_the_command_himself() {
    let exec = Exec::new();
    exec.gate("gate");
    let script = "read x < gate; head -c 33554433 /dev/zero | tail -c 33554433";
    let first = started(&exec, &[], script);
    let gate = exec.meet("gate");
    let others: Vec<_> = (0..3).map(|_| started(&exec, &[], script)).collect();
    exec.until_waiting(3);
    drop(gate);
    assert_eq!(wait(first).stdout.len(), 33_554_433);
    // All at once: one after the other none would be through before the gate is opened for it.
    let gate = exec.meet("gate");
    until("all run", || exec.runs() == 4);
    gate.pass(3);
    for other in others {
        assert_eq!(wait(other).stdout.len(), 33_554_433);
    }
}

#[test]
fn who_is_killed_while_he_waits_does_no_harm() {
    let exec = Exec::new();
    exec.gate("gate");
    let first = started(&exec, &[], SCRIPT);
    let gate = exec.meet("gate");
    let (killed, other) = (started(&exec, &[], SCRIPT), started(&exec, &[], SCRIPT));
    exec.until_waiting(2);
    kill(&killed);
    exec.until_waiting(1);
    drop(gate);
    for call in [first, other] {
        wait(call).is(0, "out\n1\n", "err\n");
    }
    assert_eq!(wait(killed).status, 128 + 9);
    exec.run(&[], SCRIPT).is(0, "out\n1\n", "err\n");
}

#[test]
fn who_is_killed_while_his_command_runs_is_followed_by_the_next() {
    let exec = Exec::new();
    exec.gate("gate1");
    exec.gate("gate2");
    let script = "echo out; read x < gate$(wc -l < runs); wc -l < runs";
    let first = started(&exec, &[], script);
    let gate = exec.meet("gate1");
    let others: Vec<_> = (0..3).map(|_| started(&exec, &[], script)).collect();
    exec.until_waiting(3);
    kill(&first);
    exec.open("gate2");
    for other in others {
        wait(other).is(0, "out\n2\n", "");
    }
    assert_eq!(wait(first).status, 128 + 9);
    drop(gate);
}

#[test]
fn who_will_not_wait_longer_runs_the_command_without_the_cache() {
    let exec = Exec::new();
    exec.gate("gate");
    let script = "test -e fast || { touch fast; read x < gate; }; wc -l < runs";
    // It is no limit for one's own run.
    let limit = ["--timeout", "500ms"];
    let slow = started(&exec, &limit, script);
    let gate = exec.meet("gate");
    wait(started(&exec, &limit, script)).is(0, "2\n", "");
    drop(gate);
    wait(slow).is(0, "2\n", "");
    // What the slow one made is kept; the other's is not.
    exec.run(&[], script).is(0, "2\n", "");
    assert_eq!(exec.runs(), 2);
}

#[test]
fn who_will_not_wait_at_all_still_uses_the_cache() {
    let exec = Exec::new();
    let limit = ["--timeout", "0"];
    exec.gate("gate");
    let script = "test -e fast || { touch fast; read x < gate; }; wc -l < runs";
    let slow = started(&exec, &limit, script);
    let gate = exec.meet("gate");
    wait(started(&exec, &limit, script)).is(0, "2\n", "");
    drop(gate);
    wait(slow).is(0, "2\n", "");
    exec.run(&limit, script).is(0, "2\n", "");
    exec.run(&limit, "echo new; wc -l < runs")
        .is(0, "new\n3\n", "");
    exec.run(&limit, "echo new; wc -l < runs")
        .is(0, "new\n3\n", "");
}

#[test]
fn a_command_that_asks_for_itself_is_told_so() {
    let exec = Exec::new();
    let dogpile = env!("CARGO_BIN_EXE_dogpile");
    let script = format!("{dogpile} exec --key me -- true; echo $?");
    exec.run(&["--key", "me"], &script).is(
        0,
        "125\n",
        "dogpile: `true` asks for its own output, which would never come\n",
    );
    // Another command within is fine.
    let script = format!("{dogpile} exec --key other -- echo inner");
    exec.run(&["--key", "outer"], &script).is(0, "inner\n", "");
}

#[test]
fn two_runs_that_ask_for_each_others_outputs_end() {
    let exec = Exec::new();
    let dogpile = env!("CARGO_BIN_EXE_dogpile");
    let outer = |own: &str, other: &str| {
        exec.gate(own);
        let inner = format!("{dogpile} exec --timeout 300ms --key {other} -- echo inner {other}");
        started(&exec, &["--key", own], &format!("read x < {own}; {inner}"))
    };
    let calls = [outer("a", "b"), outer("b", "a")];
    let gates = [exec.meet("a"), exec.meet("b")];
    drop(gates);
    // Whoever gives up first is what the other waits for, unless that gives up too.
    let [a, b] = calls.map(wait);
    let (one, other) = (&b"inner a\n"[..], &b"inner b\n"[..]);
    assert!(
        a.stdout == other || (a.stdout == one && b.stdout == one),
        "{a:?} {b:?}"
    );
    assert!(
        b.stdout == one || (b.stdout == other && a.stdout == other),
        "{a:?} {b:?}"
    );
    assert_eq!((a.status, b.status), (0, 0));
}

const ITSELF: &str = "dogpile: `true` asks for its own output, which would never come\n";

/// What runs a command in such namespaces of its own. None if this user may not make them.
fn apart(exec: &Exec, namespaces: &str) -> Option<String> {
    let unshare = format!("unshare --user --map-root-user --fork {namespaces}");
    let may = exec.through(&unshare, "true").output().unwrap();
    if !may.status.success() {
        eprintln!("not run: this user may not make namespaces");
        return None;
    }
    Some(unshare)
}

#[test]
fn a_command_that_asks_for_itself_from_a_container_is_told_so() {
    for namespaces in ["--mount --pid --mount-proc", "--time --boottime 1000"] {
        let exec = Exec::new();
        let Some(unshare) = apart(&exec, namespaces) else {
            return;
        };
        let dogpile = env!("CARGO_BIN_EXE_dogpile");
        let script = format!("{unshare} {dogpile} exec --key me -- true; echo $?");
        let call = exec.script(&["--key", "me"], &script).spawn().unwrap();
        wait(call).is(0, "125\n", ITSELF);
    }
}

#[test]
fn where_proc_does_not_number_processes_as_we_do_the_cache_is_used_and_nothing_asks_for_itself() {
    let exec = Exec::new();
    let Some(unshare) = apart(&exec, "--pid") else {
        return;
    };
    // Outside nobody has the number that the call has within.
    let mut ended = Command::new("true").spawn().unwrap();
    ended.wait().unwrap();
    let number = "/proc/sys/kernel/ns_last_pid";
    let within = format!(
        "{unshare} sh -c 'echo {} > {number} && \"$@\"; exit $?' sh",
        ended.id() - 1
    );
    let dogpile = env!("CARGO_BIN_EXE_dogpile");
    let inner = ["--key", "me", "--", dogpile, "exec", "--key", "me", "--"];
    let call = |command: &[&str]| {
        let mut call = exec.through_shell(&within, &exec.command(&[&inner, command].concat()));
        wait(call.spawn().unwrap())
    };
    if std::fs::OpenOptions::new()
        .write(true)
        .open(number)
        .is_err()
    {
        eprintln!("not run: this kernel does not let a process have any number");
        return;
    }
    call(&["true"]).is(125, "", ITSELF);
}

#[test]
fn what_a_command_leaves_running_can_ask_for_its_output_when_the_run_has_ended() {
    let exec = Exec::new();
    exec.gate("gate");
    let dogpile = env!("CARGO_BIN_EXE_dogpile");
    let daemon = format!(
        "read x < gate; {dogpile} exec --key me -- echo again > answer 2>&1; echo $? >> answer; mv answer told"
    );
    let script = format!("setsid sh -c '{daemon}' > log 2>&1 & echo made");
    exec.run(&["--key", "me"], &script).is(0, "made\n", "");
    exec.open("gate");
    until("it is told", || exec.path("told").exists());
    let told = std::fs::read_to_string(exec.path("told")).unwrap();
    assert_eq!(told, "made\n0\n");
}
