use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;

use rustix::fs::{FlockOperation, flock};

use crate::support::{Exec, tick, wait};

fn listed(exec: &Exec, options: &[&str]) -> String {
    let ended = wait(exec.command(options).spawn().unwrap());
    assert_eq!((ended.status, &ended.stderr[..]), (0, &b""[..]));
    let root = exec.path("");
    let text = String::from_utf8(ended.stdout).unwrap();
    text.replace(root.to_str().unwrap().trim_end_matches('/'), "[DIR]")
}

#[test]
fn what_is_kept_is_listed_the_newest_first() {
    let exec = Exec::new();
    assert_eq!(
        listed(&exec, &["--list"]),
        "AGE  SIZE  END  FOLDER  COMMAND\n"
    );
    wait(exec.command(&["--", "echo", "a b"]).spawn().unwrap()).is(0, "a b\n", "");
    let script = ["--cache-failures", "--", "sh", "-c", "exit 3"];
    wait(exec.command(&script).spawn().unwrap()).is(3, "", "");
    // Not kept.
    exec.run(&[], "exit 4").is(4, "", "");
    let table = listed(&exec, &["--list"]);
    let rows: Vec<Vec<&str>> = table
        .lines()
        .map(|line| line.split_whitespace().skip(1).collect())
        .collect();
    assert_eq!(
        rows,
        [
            &["SIZE", "END", "FOLDER", "COMMAND"][..],
            &[
                "0", "exit", "status", "3", "[DIR]", "sh", "-c", "'exit", "3'"
            ],
            &["4", "exit", "status", "0", "[DIR]", "echo", "'a", "b'"],
        ]
    );
    let json: serde_json::Value =
        serde_json::from_str(&listed(&exec, &["--list", "--json"])).unwrap();
    assert_eq!(json[0]["end"], serde_json::json!({ "exited": 3 }));
    assert_eq!(json[1]["command"], serde_json::json!(["echo", "a b"]));
    assert_eq!(
        (&json[1]["size"], &json[1]["folder"]),
        (&4.into(), &"[DIR]".into())
    );
}

#[test]
fn a_purge_forgets_everything() {
    let exec = Exec::new();
    exec.run(&[], "wc -l < runs").is(0, "1\n", "");
    assert_eq!(listed(&exec, &["--purge"]), "");
    assert_eq!(
        listed(&exec, &["--list"]),
        "AGE  SIZE  END  FOLDER  COMMAND\n"
    );
    exec.run(&[], "wc -l < runs").is(0, "2\n", "");
}

#[test]
fn the_folder_is_for_the_user_alone() {
    let exec = Exec::new();
    let mode = || fs::metadata(exec.cached("")).unwrap().permissions().mode() & 0o777;
    exec.run(&[], "true");
    assert_eq!(mode(), 0o700);
    fs::set_permissions(exec.cached(""), fs::Permissions::from_mode(0o755)).unwrap();
    exec.run(&[], "true");
    assert_eq!((mode(), exec.runs()), (0o700, 1));
}

#[test]
fn the_newest_is_first_whatever_its_key() {
    let exec = Exec::new();
    for (made, listed_first) in [("a", "a"), ("b", "b"), ("a", "a")] {
        let run = ["--refresh", "--key", made, "--", "echo", made];
        wait(exec.command(&run).spawn().unwrap()).is(0, &format!("{made}\n"), "");
        tick();
        let json: serde_json::Value =
            serde_json::from_str(&listed(&exec, &["--list", "--json"])).unwrap();
        assert_eq!(json[0]["command"][1], listed_first);
    }
}

#[test]
fn a_region_that_does_not_answer_is_told_of_and_not_waited_for() {
    let exec = Exec::new();
    exec.run(&[], "true");
    let (data, state) = (exec.cached("exec.dbm"), exec.cached("exec.dbm.state"));
    // As somebody who was stopped while he opened it.
    let stopped = File::open(&state).unwrap();
    flock(&stopped, FlockOperation::LockExclusive).unwrap();
    for option in ["--list", "--purge"] {
        let told = format!(
            "dogpile: {0}: it takes too long: a process that is stopped may keep it locked: continue or end that one, which \
             `fuser -v {0} {0}.state` shows, or remove these two files\n",
            data.display()
        );
        wait(exec.command(&[option]).spawn().unwrap()).is(125, "", &told);
    }
    // What it says helps.
    fs::remove_file(data).unwrap();
    fs::remove_file(state).unwrap();
    assert_eq!(listed(&exec, &["--purge"]), "");
    assert_eq!(
        listed(&exec, &["--list"]),
        "AGE  SIZE  END  FOLDER  COMMAND\n"
    );
}
