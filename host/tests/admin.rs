//! The socket of a host, with clients good and bad.

use std::error::Error;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::{Duration, SystemTime};

use dogpile::admin::{AdminSocket, Client};
use dogpile::{ErrorKind, Host, Invalidation, InvalidationStrategy, RegionConfig, Trust, Verdict};
use tempfile::TempDir;

/// How often is looked at what will be so in the end.
const POLL: Duration = Duration::from_millis(5);

/// A host with a region in memory, and its socket.
struct Listening {
    folder: TempDir,
    host: Host,
}

fn host(socket: &Path) -> dogpile::Result<Host> {
    Host::builder()
        .plugin(dogpile_plugin_memory::plugin())
        .region(RegionConfig::on("users", "memory").expiration_time(Duration::from_hours(1)))
        .admin_socket(AdminSocket::At(socket.to_owned()))
        .build()
}

impl Listening {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let host = host(&folder.path().join("a.sock")).unwrap();
        Self { folder, host }
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("a.sock")
    }

    fn client(&self) -> Client {
        Client::connect_to(self.socket()).unwrap().unwrap()
    }

    fn raw(&self) -> UnixStream {
        let stream = UnixStream::connect(self.socket()).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_mins(1)))
            .unwrap();
        stream
    }

    /// A request that the host works at until it is let go, and what its client is told, line by line.
    fn at_work(&self) -> (Sender<()>, impl FnMut() -> String + use<>) {
        let (go, gate) = mpsc::channel();
        let users = self.host.region("users").unwrap();
        users.set_invalidation_strategy(Slow(Mutex::new(gate)));
        let mut stream = self.raw();
        stream
            .write_all(b"{\"version\":1,\"message\":{\"invalidate\":{\"region\":\"users\"}}}\n")
            .unwrap();
        let mut lines = BufReader::new(stream).lines();
        (go, move || lines.next().unwrap().unwrap())
    }

    /// What the host says to these bytes before it hangs up.
    fn told(&self, bytes: &[u8]) -> String {
        let mut stream = self.raw();
        // It may hang up before it has read all.
        let _refused = stream.write_all(bytes);
        let mut answer = String::new();
        BufReader::new(stream).read_line(&mut answer).unwrap();
        answer
    }
}

#[test]
fn one_client_asks_as_often_as_it_likes() {
    let listening = Listening::new();
    let users = listening.host.region("users").unwrap();
    users.set("ada", String::from("Ada")).unwrap();
    let mut client = listening.client();
    assert_eq!(
        client.get("users", "ada").unwrap().unwrap().bytes,
        b"\"Ada\""
    );
    client.set("users", "bob", b"\"Bob\"").unwrap();
    assert_eq!(*users.get::<String>("bob").unwrap().unwrap(), "Bob");
    client.delete("users", "bob").unwrap();
    assert!(client.get("users", "bob").unwrap().is_none());
    let status = client.status().unwrap();
    assert_eq!(status.regions[0].name, "users");
    assert_eq!(client.plugins().unwrap()[0].name, "memory");
}

#[test]
fn an_error_does_not_end_the_conversation() {
    let listening = Listening::new();
    let mut client = listening.client();
    let unknown = client.get("nobody", "k").unwrap_err();
    assert_eq!(unknown.kind(), ErrorKind::NoSuchRegion);
    assert!(unknown.to_string().contains("`users`"), "{unknown}");
    for wrong in [&b"text"[..], b"\"a \xff b\""] {
        let refused = client.set("users", "k", wrong).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Serializer);
    }
    let codeless = client.reload().unwrap_err();
    assert_eq!(codeless.kind(), ErrorKind::Configuration);
    assert!(client.status().is_ok());
}

#[test]
fn the_socket_is_for_its_owner_alone_and_goes_with_the_host() {
    let listening = Listening::new();
    let socket = listening.socket();
    assert_eq!(
        fs::metadata(&socket).unwrap().permissions().mode() & 0o777,
        0o600
    );
    drop(listening.host);
    assert_eq!(fs::read_dir(listening.folder.path()).unwrap().count(), 0);
    assert!(Client::connect_to(socket).unwrap().is_none());
}

#[test]
fn what_is_no_request_is_refused_and_others_are_answered() {
    let listening = Listening::new();
    let mut endless = vec![b'x'; 3 << 20];
    endless.push(b'\n');
    for (bytes, reason) in [
        (&b"GET / HTTP/1.1\r\n"[..], "not a message"),
        (b"{\"version\":2,\"message\":\"status\"}\n", "version 2"),
        (
            b"{\"version\":1,\"message\":\"destroy\"}\n",
            "not a message: unknown variant",
        ),
        (
            b"{\"version\":1,\"message\":{\"get\":{\"region\":\"users\"}}}\n",
            "missing field",
        ),
        (
            b"{\"version\":1,\"message\":\"status\",\"body\":999999999}\n",
            "too large",
        ),
        (&endless, "too long"),
        (&[0xff, 0xfe, b'\n'], "not a message"),
    ] {
        let answer = listening.told(bytes);
        assert!(answer.contains("\"failed\""), "{reason}: {answer}");
        assert!(answer.contains(reason), "{reason}: {answer}");
    }
    assert!(listening.client().status().is_ok());
}

#[test]
fn silent_clients_keep_nobody_out_for_long_and_end_with_the_host() {
    let listening = Listening::new();
    let mut silent: Vec<_> = (0..16).map(|_| listening.raw()).collect();
    // Half a request each: their threads wait.
    for stream in &mut silent {
        stream.write_all(b"{\"version\":1,").unwrap();
    }
    // Another one waits, until one of them goes.
    let mut client = listening.client();
    drop(silent.pop());
    assert!(client.status().is_ok());
    // It may have all of that thread's time; then not any number of others may wait.
    let waiting: Vec<_> = (0..64).map(|_| listening.raw()).collect();
    let mut turned_away = listening.raw();
    let mut answer = String::new();
    turned_away.read_to_string(&mut answer).unwrap();
    assert!(answer.contains("too many clients"), "{answer}");
    drop((waiting, client));
    // As soon as a thread has seen that those went.
    while listening.client().status().is_err() {
        std::thread::sleep(POLL);
    }
    drop(listening.host);
    for mut stream in silent {
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).unwrap();
        assert!(rest.is_empty());
    }
}

#[test]
fn a_client_that_takes_no_answer_delays_nobody() {
    let listening = Listening::new();
    let users = listening.host.region("users").unwrap();
    users.set("large", "x".repeat(8 << 20)).unwrap();
    let mut deaf = listening.raw();
    deaf.write_all(
        b"{\"version\":1,\"message\":{\"get\":{\"region\":\"users\",\"key\":\"large\"}}}\n",
    )
    .unwrap();
    assert!(listening.client().status().is_ok());
    let payload = listening.client().get("users", "large").unwrap().unwrap();
    assert_eq!(payload.bytes.len(), (8 << 20) + 2);
}

#[test]
fn a_second_host_leaves_the_socket_to_the_first() {
    let listening = Listening::new();
    let second = host(&listening.socket()).unwrap();
    let users = second.region("users").unwrap();
    users.set("k", 2).unwrap();
    assert!(listening.client().get("users", "k").unwrap().is_none());
    drop((users, second));
    assert!(listening.client().status().is_ok());
}

#[test]
fn a_host_takes_the_socket_over_when_the_first_has_gone() {
    let listening = Listening::new();
    let socket = listening.socket();
    let second = host(&socket).unwrap();
    let third = host(&socket).unwrap();
    second.region("users").unwrap().set("k", 2).unwrap();
    drop(listening.host);
    let began = std::time::Instant::now();
    let mut client = loop {
        assert!(began.elapsed() < Duration::from_mins(1), "nobody takes it");
        match Client::connect_to(&socket).unwrap() {
            Some(client) => break client,
            None => std::thread::sleep(POLL),
        }
    };
    // One of the two, and one only.
    assert!(client.status().is_ok());
    drop((client, second, third));
    assert_eq!(fs::read_dir(listening.folder.path()).unwrap().count(), 0);
}

/// Waits for a host that answers there, and tells whether the region `users` has the key `k`.
fn has_k(socket: &Path) -> bool {
    let began = std::time::Instant::now();
    loop {
        assert!(began.elapsed() < Duration::from_mins(1), "nobody answers");
        if let Ok(Some(mut client)) = Client::connect_to(socket)
            && let Ok(found) = client.get("users", "k")
        {
            return found.is_some();
        }
        std::thread::sleep(POLL);
    }
}

#[test]
fn a_socket_that_somebody_removed_is_made_anew() {
    let listening = Listening::new();
    let socket = listening.socket();
    let lock = listening.folder.path().join("a.sock.lock");
    for removed in [&[&socket][..], &[&lock], &[&socket, &lock]] {
        for path in removed {
            fs::remove_file(path).unwrap();
        }
        let began = std::time::Instant::now();
        while !(socket.exists() && lock.exists()) {
            assert!(began.elapsed() < Duration::from_mins(1), "{removed:?}");
            std::thread::sleep(POLL);
        }
        assert!(!has_k(&socket));
        let mode = fs::metadata(&socket).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    drop(listening.host);
    assert_eq!(fs::read_dir(listening.folder.path()).unwrap().count(), 0);
}

#[test]
fn one_of_two_hosts_has_a_socket_that_somebody_removed_and_the_other_waits_for_it() {
    let listening = Listening::new();
    let socket = listening.socket();
    let second = host(&socket).unwrap();
    second.region("users").unwrap().set("k", 2).unwrap();
    let mut first = Some(listening.host);
    for _ in 0..3 {
        fs::remove_file(listening.folder.path().join("a.sock.lock")).unwrap();
        fs::remove_file(&socket).unwrap();
        has_k(&socket);
    }
    // Whoever has it, it is the other's when that has gone.
    if has_k(&socket) {
        drop(second);
        assert!(!has_k(&socket));
    } else {
        drop(first.take());
        assert!(has_k(&socket));
        drop(second);
    }
    drop(first);
    assert_eq!(fs::read_dir(listening.folder.path()).unwrap().count(), 0);
}

/// Invalidates when it is told to.
struct Slow(Mutex<Receiver<()>>);

impl InvalidationStrategy for Slow {
    fn invalidate(&self, _: Invalidation) -> Result<(), Box<dyn Error + Send + Sync>> {
        let told = self.0.lock().unwrap();
        Ok(told.recv_timeout(Duration::from_mins(1))?)
    }

    fn outdates(&self, _: SystemTime, _: SystemTime) -> Option<Verdict> {
        None
    }
}

#[test]
fn a_client_hears_of_a_host_that_works_at_its_answer() {
    let listening = Listening::new();
    let (go, mut next) = listening.at_work();
    for _ in 0..2 {
        assert_eq!(next(), "{\"version\":1,\"message\":\"working\"}");
    }
    go.send(()).unwrap();
    while next() != "{\"version\":1,\"message\":\"done\"}" {}
}

#[test]
fn a_client_hears_of_a_host_that_stops_and_works_at_its_answer() {
    let listening = Listening::new();
    let (go, mut next) = listening.at_work();
    assert_eq!(next(), "{\"version\":1,\"message\":\"working\"}");
    let socket = listening.socket();
    let stopping = std::thread::spawn(move || drop(listening));
    while socket.exists() {
        std::thread::sleep(POLL);
    }
    for _ in 0..2 {
        assert_eq!(next(), "{\"version\":1,\"message\":\"working\"}");
    }
    go.send(()).unwrap();
    while next() != "{\"version\":1,\"message\":\"done\"}" {}
    stopping.join().unwrap();
}

/// Its fault is in the program, which goes on.
struct Panics;

impl InvalidationStrategy for Panics {
    fn invalidate(&self, _: Invalidation) -> Result<(), Box<dyn Error + Send + Sync>> {
        panic!("on purpose")
    }

    fn outdates(&self, _: SystemTime, _: SystemTime) -> Option<Verdict> {
        None
    }
}

#[test]
fn a_client_whose_request_panics_is_let_go_and_others_are_answered() {
    let listening = Listening::new();
    let users = listening.host.region("users").unwrap();
    users.set_invalidation_strategy(Panics);
    let mut stream = listening.raw();
    stream
        .write_all(b"{\"version\":1,\"message\":{\"invalidate\":{\"region\":\"users\"}}}\n")
        .unwrap();
    let mut told = String::new();
    stream.read_to_string(&mut told).unwrap();
    assert_eq!(told, "");
    assert!(listening.client().status().is_ok());
}

#[test]
fn a_socket_that_nobody_listens_on_is_replaced_and_any_other_file_is_left() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.sock");
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    assert!(Client::connect_to(&path).unwrap().is_none());
    drop(host(&path).unwrap());
    fs::write(&path, "mine").unwrap();
    let Err(refused) = host(&path) else {
        panic!("a file was replaced")
    };
    assert_eq!(refused.kind(), ErrorKind::Admin);
    assert!(refused.to_string().contains("a.sock"), "{refused}");
    assert_eq!(fs::read_to_string(&path).unwrap(), "mine");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

/// Another user could listen there first, and be taken for the host.
#[test]
fn a_socket_in_a_folder_that_others_may_write_to_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let shared = folder.path().join("shared");
    fs::create_dir(&shared).unwrap();
    fs::set_permissions(&shared, fs::Permissions::from_mode(0o1777)).unwrap();
    let socket = shared.join("a.sock");
    let builder = || Host::builder().admin_socket(AdminSocket::At(socket.clone()));
    let Err(refused) = builder().trust(Trust::Strict).build() else {
        panic!("it listens")
    };
    assert_eq!(refused.kind(), ErrorKind::Admin);
    let told = format!(
        "no admin socket: {} is not trusted: its folder {} can be written by others (mode 1777); ",
        socket.display(),
        shared.display()
    );
    assert!(refused.to_string().contains(&told), "{refused}");
    assert_eq!(fs::read_dir(&shared).unwrap().count(), 0);
    drop(builder().trust(Trust::Off).build().unwrap());
}

#[test]
fn a_place_that_cannot_be_had_is_an_error_if_it_was_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    for path in ["absent/a.sock".to_owned(), "x".repeat(120)] {
        let Err(refused) = host(&folder.path().join(&path)) else {
            panic!("{path}")
        };
        assert_eq!(refused.kind(), ErrorKind::Admin);
        assert!(refused.to_string().contains(&path), "{refused}");
    }
}
