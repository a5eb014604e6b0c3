//! What other processes see of those that `check` starts.

use std::fs;
use std::net::TcpListener;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use crate::case::{Case, VARIABLE};
use crate::outputs::{CANARY, MARKER};

/// Longer than anything here takes.
const DEADLINE: Duration = Duration::from_mins(1);

#[test]
fn command_lines_and_environments_of_children_hold_no_secrets() {
    // The child that opens the region waits here for an answer, and can be looked at.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let mut case = Case::new(&format!(
        "version = 1\n[plugins.redis]\n[regions.{MARKER}]\nbackend = \"redis\"\nexpiration_time = \"5m\"\n\
         [regions.{MARKER}.arguments]\nurl = \"redis://me:{CANARY}@127.0.0.1:{port}/0\"\nsocket_timeout = 60\n"
    ));
    let mut command = case.dogpile(&["check"]);
    command
        .env(VARIABLE, "none")
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let mut check = command.spawn().unwrap();
    let (connection, _) = silent.accept().unwrap();
    let children = format!("/proc/{0}/task/{0}/children", check.id());
    let deadline = Instant::now() + DEADLINE;
    let children = loop {
        let found = fs::read_to_string(&children).unwrap_or_default();
        if !found.is_empty() {
            break found;
        }
        assert!(Instant::now() < deadline, "it has no child");
        thread::yield_now();
    };
    for process in children
        .split_whitespace()
        .map(str::to_owned)
        .chain([check.id().to_string()])
    {
        for file in ["cmdline", "environ"] {
            let bytes = fs::read(format!("/proc/{process}/{file}")).unwrap();
            case.outputs
                .add(file, String::from_utf8_lossy(&bytes).replace('\0', " "));
        }
    }
    // The child finds nobody there, and both end.
    drop((connection, silent));
    assert!(!check.wait().unwrap().success());
    assert!(case.outputs.has("cmdline", "probe") && case.outputs.has("environ", VARIABLE));
    case.outputs.judge("children", &[]);
}
