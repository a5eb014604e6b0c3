//! What a service manager is told, by a socket as systemd has one.

use std::ffi::OsString;
use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::Signal;
use rustix::time::{ClockId, clock_gettime};

use crate::support::{Folder, PAGES, Server};

/// Longer than anything takes that is waited for.
const LIMIT: Duration = Duration::from_mins(1);

struct Manager(UnixDatagram);

impl Manager {
    fn at(address: &SocketAddr) -> Self {
        let socket = UnixDatagram::bind_addr(address).unwrap();
        socket.set_read_timeout(Some(LIMIT)).unwrap();
        Self(socket)
    }

    /// The lines of the next message.
    fn told(&self) -> Vec<String> {
        let mut message = [0; 4096];
        let length = self.0.recv(&mut message).unwrap();
        let text = std::str::from_utf8(&message[..length]).unwrap();
        text.lines().map(str::to_owned).collect()
    }

    /// The next messages, the watchdog's left out, with `[NOW]` for a time between the last message and now.
    fn tells(&self, since: u64, number: usize) -> Vec<Vec<String>> {
        let mut told = Vec::new();
        while told.len() < number {
            let mut lines = self.told();
            for line in &mut lines {
                if let Some(time) = line.strip_prefix("MONOTONIC_USEC=") {
                    let time: u64 = time.parse().unwrap();
                    assert!((since..=now()).contains(&time), "{time} since {since}");
                    "[NOW]".clone_into(line);
                }
            }
            if lines != ["WATCHDOG=1"] {
                told.push(lines);
            }
        }
        told
    }
}

/// By the clock that service managers go by, in microseconds.
fn now() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    u64::try_from(Duration::try_from(now).unwrap().as_micros()).unwrap()
}

fn serve(folder: &Folder, socket: OsString, variables: &[(&str, &str)]) -> Server {
    let mut command = folder.command(&["serve", "--listen", "127.0.0.1:0"]);
    command.env("NOTIFY_SOCKET", socket);
    command.envs(variables.iter().copied());
    Server::start(command)
}

#[test]
fn the_manager_is_told_of_start_reloads_and_end() {
    let folder = Folder::new(PAGES);
    let path = folder.path("notify");
    let manager = Manager::at(&SocketAddr::from_pathname(&path).unwrap());
    let mut server = serve(&folder, path.into(), &[]);
    assert_eq!(manager.told(), ["READY=1", "STATUS=generation 1"]);

    let since = now();
    server.signal(Signal::HUP);
    let expected = [
        vec!["RELOADING=1", "[NOW]", "STATUS=reloading (cause: signal)"],
        vec!["READY=1", "STATUS=generation 1"],
    ];
    assert_eq!(manager.tells(since, 2), expected);

    let since = now();
    folder.write("dogpile.toml", &(PAGES.to_owned() + "jitter = 0.5\n"));
    let expected = [
        vec!["RELOADING=1", "[NOW]", "STATUS=reloading (cause: file)"],
        vec!["READY=1", "STATUS=generation 2"],
    ];
    assert_eq!(manager.tells(since, 2), expected);

    let since = now();
    assert_eq!(folder.dogpile(&["reload"]).status, Some(0));
    let expected = [
        vec!["RELOADING=1", "[NOW]", "STATUS=reloading (cause: command)"],
        vec!["READY=1", "STATUS=generation 2"],
    ];
    assert_eq!(manager.tells(since, 2), expected);

    // A refused one leaves it ready, and one line says why.
    let since = now();
    folder.write("dogpile.toml", "version = 2\n");
    let told = manager.tells(since, 2);
    assert_eq!(
        told[0],
        ["RELOADING=1", "[NOW]", "STATUS=reloading (cause: file)"]
    );
    assert_eq!((told[1].len(), told[1][0].as_str()), (2, "READY=1"));
    let status = &told[1][1];
    assert!(
        status.starts_with("STATUS=generation 2; the newest manifest was refused: ")
            && status.contains("dogpile.toml:1:"),
        "{status}"
    );

    server.signal(Signal::TERM);
    assert_eq!(manager.told(), ["STOPPING=1", "STATUS=stopping"]);
    assert_eq!(server.wait().code(), Some(0));
}

#[test]
fn an_abstract_socket_is_told_and_so_is_a_watchdog() {
    let folder = Folder::new(PAGES);
    let name = folder.path("notify").to_string_lossy().into_owned();
    let manager = Manager::at(&SocketAddr::from_abstract_name(&name).unwrap());
    let watchdog = [("WATCHDOG_USEC", "20000")];
    let mut server = serve(&folder, format!("@{name}").into(), &watchdog);
    assert_eq!(manager.told(), ["READY=1", "STATUS=generation 1"]);
    for _ in 0..3 {
        assert_eq!(manager.told(), ["WATCHDOG=1"]);
    }
    let since = now();
    server.signal(Signal::HUP);
    let told = manager.tells(since, 2);
    assert_eq!(
        (told[0][0].as_str(), told[1][0].as_str()),
        ("RELOADING=1", "READY=1")
    );
    server.signal(Signal::TERM);
    assert_eq!(manager.tells(since, 1), [["STOPPING=1", "STATUS=stopping"]]);
    assert_eq!(server.wait().code(), Some(0));
}

#[test]
fn the_manager_is_told_why_it_does_not_start() {
    let folder = Folder::new(
        "version = 1\n[regions.pages]\nbackend = \"null\"\njittre = 0.5\nmax_stael = 1\n",
    );
    let path = folder.path("notify");
    let manager = Manager::at(&SocketAddr::from_pathname(&path).unwrap());
    let fails = |listen: &str| {
        let mut command = folder.command(&["serve", "--listen", listen]);
        let ended = command.env("NOTIFY_SOCKET", &path).output().unwrap();
        assert_eq!(ended.status.code(), Some(1));
        manager.told()
    };
    let told = fails("127.0.0.1:0");
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(
        told[0].starts_with("STATUS=failed: ")
            && told[0].contains("dogpile.toml:4:1: error: unknown key `jittre`"),
        "{told:?}"
    );

    folder.write("dogpile.toml", PAGES);
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let told = fails(&address);
    assert!(
        told[0].starts_with(&format!("STATUS=failed: cannot listen on {address}: ")),
        "{told:?}"
    );
    let number = Errno::ADDRINUSE.raw_os_error();
    assert_eq!(told[1..], [format!("ERRNO={number}")]);
}

#[test]
fn a_manager_that_is_not_there_keeps_nothing_from_running() {
    let folder = Folder::new(PAGES);
    let mut server = serve(&folder, folder.path("nobody").into(), &[]);
    server.wait_for_log("the service manager cannot be told");
    server.signal(Signal::HUP);
    server.wait_for_log("trigger=signal");
    server.signal(Signal::TERM);
    assert_eq!(server.wait().code(), Some(0));
}
