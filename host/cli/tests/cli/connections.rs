//! More clients than `dogpile serve` may open files for.

use std::io::Write;
use std::net::TcpStream;
use std::process::Command;
use std::{fs, thread};

use rustix::process::{Resource, Rlimit, getrlimit, prlimit};

use crate::support::{Folder, PAGES, Response, Server, until};

const SERVE: &[&str] = &["serve", "--listen", "127.0.0.1:0"];

/// The command as a process that may open so many files.
fn with_open_files(limit: usize, inner: &Command) -> Command {
    let mut command = Command::new("sh");
    command
        .args(["-c", &format!("ulimit -n {limit}; exec \"$@\""), "sh"])
        .arg(inner.get_program())
        .args(inner.get_args())
        .current_dir(inner.get_current_dir().unwrap());
    for (name, value) in inner.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command
}

fn open_files(server: &Server) -> usize {
    let process = server.process().as_raw_pid();
    fs::read_dir(format!("/proc/{process}/fd")).unwrap().count()
}

#[test]
fn clients_that_wait_with_half_a_request_leave_files_to_the_host_and_are_sent_away() {
    let folder = Folder::new(PAGES);
    let mut server = Server::start(with_open_files(80, &folder.command(SERVE)));
    server.wait_for_log("listening");
    let at_first = open_files(&server);
    // One less than twice what is accepted at once: the whole request comes after one time-out.
    let halves: Vec<_> = (0..79)
        .map(|_| {
            let mut stream = TcpStream::connect(&server.address).unwrap();
            let half = b"GET /metrics HTTP/1.1\r\nhost: x\r\n";
            stream.write_all(half).unwrap();
            stream
        })
        .collect();
    until("most of them are connected", || {
        open_files(&server) >= at_first + 30
    });
    folder.write("dogpile.toml", &PAGES.replace("\"1h\"", "\"2h\""));
    server.wait_for_log("generation 2");
    let refused = server.log_so_far().find(|line| line.contains("refused"));
    assert_eq!(refused, None);
    assert_eq!(folder.dogpile(&["status"]).status, Some(0));
    assert_eq!(server.get("/metrics").status, 200);
    drop(halves);
}

#[test]
fn a_connection_that_cannot_be_accepted_is_logged_and_accepted_later() {
    let folder = Folder::new(PAGES);
    let mut server = folder.serve_alone();
    server.wait_for_log("listening");
    let process = Some(server.process());
    let usual = getrlimit(Resource::Nofile);
    let none = Rlimit {
        current: Some(3),
        maximum: usual.maximum,
    };
    prlimit(process, Resource::Nofile, none).unwrap();
    let address = server.address.clone();
    let asked = thread::spawn(move || Response::of(&address, "GET", "/-/health", ""));
    server.wait_for_log("connections cannot be accepted: Too many open files");
    prlimit(process, Resource::Nofile, usual).unwrap();
    assert_eq!(asked.join().unwrap().status, 200);
    server.wait_for_log("connections are accepted again");
}
