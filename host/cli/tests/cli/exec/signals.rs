use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::support::{Exec, until, wait};

fn send(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).unwrap();
}

#[test]
fn a_signal_goes_to_the_command_and_the_run_is_not_kept() {
    for (signal, number) in [(Signal::TERM, 15), (Signal::INT, 2), (Signal::HUP, 1)] {
        let exec = Exec::new();
        exec.gate("gate");
        let script = "echo out; read x < gate; echo more";
        // Whoever runs these tests in the background may have them ignored.
        let mut call = exec.through("exec env --default-signal", script);
        let call = call.spawn().unwrap();
        let gate = exec.meet("gate");
        send(&call, signal);
        wait(call).is(128 + number, "out\n", "");
        drop(gate);
        let again = exec.script(&[], script).spawn().unwrap();
        exec.open("gate");
        wait(again).is(0, "out\nmore\n", "");
        assert_eq!(exec.runs(), 2);
    }
}

#[test]
fn a_run_that_outlives_a_signal_is_not_kept_either() {
    for (signal, name) in [
        (Signal::TERM, "TERM"),
        (Signal::USR1, "USR1"),
        (Signal::USR2, "USR2"),
        (Signal::ALARM, "ALRM"),
    ] {
        let exec = Exec::new();
        // What is left of the first run may still be at its gate when the second comes to its own.
        exec.gate("gate1");
        exec.gate("gate2");
        let script = format!(
            "trap 'touch caught' {name}; sh -c 'read x < gate$(wc -l < runs)' & wait; ls caught; echo end"
        );
        let call = exec.script(&[], &script).spawn().unwrap();
        let gate = exec.meet("gate1");
        send(&call, signal);
        until("it is caught", || exec.path("caught").exists());
        drop(gate);
        wait(call).is(0, "caught\nend\n", "");
        let again = exec.script(&[], &script).spawn().unwrap();
        exec.open("gate2");
        wait(again).is(0, "caught\nend\n", "");
        assert_eq!(exec.runs(), 2);
    }
}

#[test]
fn who_waits_runs_a_command_that_another_has_cancelled() {
    let exec = Exec::new();
    exec.gate("gate1");
    exec.gate("gate2");
    let script = "read x < gate$(wc -l < runs); wc -l < runs";
    let first = exec.script(&[], script).spawn().unwrap();
    let _gate = exec.meet("gate1");
    let other = exec.script(&[], script).spawn().unwrap();
    exec.until_waiting(1);
    send(&first, Signal::TERM);
    wait(first).is(128 + 15, "", "");
    exec.open("gate2");
    wait(other).is(0, "2\n", "");
}

/// As a key of the terminal does, which we need not have seen.
#[test]
fn who_waits_runs_a_command_that_was_interrupted_by_itself() {
    let exec = Exec::new();
    exec.gate("gate1");
    exec.gate("gate2");
    let script = "read x < gate$(wc -l < runs); test $(wc -l < runs) = 2 || kill -INT $$; echo end";
    let all = "exec env --default-signal";
    let first = exec.through(all, script).spawn().unwrap();
    let gate = exec.meet("gate1");
    let other = exec.through(all, script).spawn().unwrap();
    exec.until_waiting(1);
    drop(gate);
    wait(first).is(128 + 2, "", "");
    exec.open("gate2");
    wait(other).is(0, "end\n", "");
}

#[test]
fn what_a_cancelled_command_leaves_behind_is_not_waited_for() {
    let exec = Exec::new();
    exec.gate("gate");
    exec.gate("held");
    let script = "(read x < held) & echo out; read x < gate";
    let call = exec.script(&[], script).spawn().unwrap();
    let held = exec.meet("held");
    let _gate = exec.meet("gate");
    send(&call, Signal::TERM);
    wait(call).is(128 + 15, "out\n", "");
    drop(held);
}

#[test]
fn a_signal_that_is_ignored_stays_so() {
    let exec = Exec::new();
    exec.gate("gate");
    let mut call = exec.through("trap '' HUP; exec", "read x < gate; echo end");
    let call = call.spawn().unwrap();
    let gate = exec.meet("gate");
    send(&call, Signal::HUP);
    drop(gate);
    wait(call).is(0, "end\n", "");
}

#[test]
fn the_end_of_the_command_is_noticed_where_the_ends_of_children_are_ignored() {
    let exec = Exec::new();
    let mut call = exec.through("exec env --ignore-signal=CHLD", "echo out; exit 3");
    wait(call.spawn().unwrap()).is(3, "out\n", "");
}

/// As the only program of a container is.
#[test]
fn the_first_process_of_a_namespace_ends_with_the_status_of_a_signal() {
    let exec = Exec::new();
    let unshare = ["--user", "--map-root-user", "--pid", "--fork"];
    let may = Command::new("unshare").args(unshare).arg("true").status();
    if !may.is_ok_and(|status| status.success()) {
        eprintln!("not run: this user may not make namespaces");
        return;
    }
    let mut call = exec.through(
        &format!("exec unshare {}", unshare.join(" ")),
        "echo out; kill $$",
    );
    wait(call.spawn().unwrap()).is(128 + 15, "out\n", "");
}

/// As over `ssh -t`: then nobody else tells the command.
#[test]
fn the_end_of_a_terminal_goes_to_the_command_where_we_lead_its_session() {
    let exec = Exec::new();
    let script = "trap 'touch told; exit' HUP; touch ready; while :; do sleep 0.01; done";
    let inner = exec.command(&[]);
    let dogpile = inner.get_program().to_str().unwrap();
    let mut terminal = Command::new("script");
    terminal
        .args([
            "-qec",
            &format!("exec env --default-signal {dogpile} exec -- sh -c \"{script}\""),
        ])
        .arg("/dev/null")
        .current_dir(exec.path(""))
        .env("SHELL", "/bin/sh")
        .env("XDG_CACHE_HOME", exec.path("cache"))
        .stdin(Stdio::piped())
        .stdout(Stdio::null());
    let Ok(terminal) = terminal.spawn() else {
        eprintln!("not run: there is no `script` to make a terminal");
        return;
    };
    until("it runs", || exec.path("ready").exists());
    send(&terminal, Signal::KILL);
    until("it is told", || exec.path("told").exists());
    wait(terminal);
}
