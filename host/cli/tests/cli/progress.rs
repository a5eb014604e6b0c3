use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixListener;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use crate::support::{Folder, PAGES};

/// A host that answers when it is told to.
const ANSWER: &str =
    "{\"version\":1,\"message\":{\"failed\":{\"kind\":\"Admin\",\"message\":\"not now\"}}}\n";

#[test]
fn a_terminal_shows_what_is_waited_for_and_the_line_goes_again() {
    let folder =
        Folder::without_plugins(&PAGES.replace("[host]", "[host]\nadmin_socket = \"a.sock\""));
    let listener = UnixListener::bind(folder.path("a.sock")).unwrap();
    let (go, may_go) = mpsc::channel::<()>();
    let host = thread::spawn(move || {
        let (mut client, _) = listener.accept().unwrap();
        let mut request = String::new();
        let mut reader = BufReader::new(client.try_clone().unwrap());
        reader.read_line(&mut request).unwrap();
        // Or the test has failed.
        let _told = may_go.recv_timeout(Duration::from_mins(1));
        client.write_all(ANSWER.as_bytes()).unwrap();
        request
    });
    // Its standard output is what a terminal gets, of both outputs.
    let mut terminal = Command::new("script")
        .args(["--quiet", "--return", "--command"])
        .arg(format!("{} reload", env!("CARGO_BIN_EXE_dogpile")))
        .arg("/dev/null")
        .current_dir(folder.path(""))
        .env("XDG_RUNTIME_DIR", folder.path("run"))
        .env("NO_COLOR", "1")
        .env_remove("DOGPILE_MANIFEST")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut shown = terminal.stdout.take().unwrap();
    let line = b"\rwaiting for the running host";
    let mut seen = vec![0; line.len()];
    shown.read_exact(&mut seen).unwrap();
    assert_eq!(
        String::from_utf8_lossy(&seen),
        String::from_utf8_lossy(line)
    );
    go.send(()).unwrap();
    let mut rest = String::new();
    shown.read_to_string(&mut rest).unwrap();
    assert_eq!(terminal.wait().unwrap().code(), Some(1));
    assert_eq!(
        host.join().unwrap(),
        "{\"version\":1,\"message\":\"reload\"}\n"
    );
    // Perhaps with the seconds, on a machine that has more to do; then it is written over.
    let (before, after) = rest.rsplit_once(" \r").expect("the line is cleared");
    assert!(
        before
            .trim_matches(|c| "\r ()s0123456789".contains(c))
            .is_empty()
            || before.contains("waiting"),
        "{rest:?}"
    );
    assert_eq!(after, "error: not now\r\n");
}
