//! What `docs/python.md` shows is what happens: its blocks are run, in their order.

use dogpile::Invalidation;
use dogpile_tests::python_page::Page;
use dogpile_tests::redis_server::RedisServer;
use redis::{Commands, Connection};

use crate::peer::interpreter;
use crate::support::{client, until};
use crate::users::{User, load};
use crate::watched::lone_sentinel;

const PAGE: &str = include_str!("../../../docs/python.md");

/// Where the page has its server.
const URL: &str = "redis://localhost:6379/0";

/// Where it has a sentinel: in Python, and in a manifest.
const SENTINEL: [&str; 2] = ["[\"localhost\", 26379]", "\"localhost:26379\""];

/// A server, and a sentinel that watches it.
struct Servers {
    server: RedisServer,
    sentinel: RedisServer,
}

impl Servers {
    fn start() -> Self {
        let server = RedisServer::start(&[]);
        Self {
            sentinel: lone_sentinel(server.port(), ""),
            server,
        }
    }

    /// The page beside these.
    fn page(&self) -> Page {
        let url = format!("redis://127.0.0.1:{}/0", self.server.port());
        let port = self.sentinel.port();
        let [python, manifest] = [
            format!("[\"127.0.0.1\", {port}]"),
            format!("\"127.0.0.1:{port}\""),
        ];
        let servers = [
            (URL, &*url),
            (SENTINEL[0], &*python),
            (SENTINEL[1], &*manifest),
        ];
        Page::new(PAGE, &servers, "redis", interpreter())
    }
}

/// Where the page's function is cached.
fn key(id: u64) -> String {
    format!("myapp.users:load|{id}")
}

fn stored(client: &mut Connection, key: &str) -> Vec<u8> {
    let stored: Option<Vec<u8>> = client.get(key).unwrap();
    stored.unwrap_or_default()
}

fn is_pickled(stored: &[u8]) -> bool {
    stored.windows(2).any(|pair| pair == b"|\x80")
}

#[test]
fn the_rust_of_the_page_is_what_runs_here() {
    let page = Servers::start().page();
    assert_eq!(page.blocks("rust"), [include_str!("users.rs")]);
    let (_, both) = include_str!("../../src/bin/both.rs")
        .split_once("#![forbid(unsafe_code)]\n\n")
        .unwrap();
    assert_eq!(page.blocks("rust,no_run"), [both]);
}

#[test]
fn a_region_moves_as_the_page_tells() {
    let servers = Servers::start();
    let page = servers.page();
    let mut client = client(&servers.server);
    let (python, toml) = (page.blocks("python"), page.blocks("toml"));
    let [before, reads, writes, calls, ..] = &python[..] else {
        panic!("there are other blocks: {python:#?}");
    };
    let before = page.program("before", before);
    let (reads, writes) = (page.program("reads", reads), page.program("writes", writes));

    // Before, and step 1: pickles, which both read.
    for (id, writer, reader) in [(1, &before, &reads), (2, &reads, &before)] {
        page.loads(writer, id);
        let pickled = stored(&mut client, &key(id));
        assert!(is_pickled(&pickled));
        page.loads(reader, id);
        page.loads(&writes, id);
        assert_eq!(stored(&mut client, &key(id)), pickled);
    }

    // Step 2: JSON, which step 1 reads and what was before does not.
    page.loads(&writes, 3);
    let json = stored(&mut client, &key(3));
    assert!(json.ends_with(br#"|{"id":3,"name":"Ada"}"#));
    page.loads(&reads, 3);
    let code = "from myapp.users import load; import pickle\n\
                try: load(3)\n\
                except pickle.UnpicklingError: print('it raises')";
    assert_eq!(page.run(&before, code), "it raises");

    // Step 3: Rust reads what Python wrote, and back.
    let host = page.host("dogpile.toml", toml[0]);
    host.install().unwrap();
    let users = host.region("users").unwrap();
    assert_eq!(load::key(42).unwrap(), key(42));
    let user = load(3);
    assert_eq!((user, users.stats().creations), (load::original(3), 0));
    assert_eq!(stored(&mut client, &key(3)), json);
    load(4);
    let by_rust = stored(&mut client, &key(4));
    for reader in [&reads, &writes] {
        page.loads(reader, 4);
    }
    assert_eq!(stored(&mut client, &key(4)), by_rust);
    load(1);
    assert!(!is_pickled(&stored(&mut client, &key(1))));
    page.loads(&writes, 1);
    assert_eq!(users.stats().creations, 2);

    // Python invalidates, and Rust.
    load(42);
    page.run(&writes, calls);
    assert!(stored(&mut client, &key(42)).is_empty());
    until("Rust sees it", || load::get(3).unwrap().is_none());
    let get = "from myapp.users import users; print(bool(users.get('myapp.users:load|5')))";
    load(5);
    assert_eq!(page.run(&writes, get), "True");
    users.invalidate(Invalidation::Hard).unwrap();
    assert_eq!(page.run(&writes, get), "False");
}

#[test]
fn a_prefix_and_a_mangler_are_shared_as_the_page_tells() {
    let servers = Servers::start();
    let page = servers.page();
    let mut client = client(&servers.server);
    let (python, toml) = (page.blocks("python"), page.blocks("toml"));
    let (calls, prefixed) = (&python[3], &python[4]);
    let prefixed = page.program("prefixed", prefixed);
    let host = page.host("prefixed.toml", toml[1]);
    let users = host.region("users").unwrap();
    page.loads(&prefixed, 6);
    let get = || users.get::<User>(&*key(6)).unwrap();
    assert_eq!(*get().unwrap(), load::original(6));
    page.run(&prefixed, calls);
    assert!(!stored(&mut client, "myapp:_dogpile_inv:users").is_empty());
    until("Rust sees it", || get().is_none());
}

#[test]
fn a_region_behind_sentinels_is_shared_as_the_page_tells() {
    let servers = Servers::start();
    let page = servers.page();
    let mut client = client(&servers.server);
    let (python, toml) = (page.blocks("python"), page.blocks("toml"));
    let (calls, watched) = (&python[3], &python[5]);
    let watched = page.program("watched", watched);
    let host = page.host("watched.toml", toml[2]);
    let users = host.region("users").unwrap();
    page.loads(&watched, 7);
    let get = || users.get::<User>(&*key(7)).unwrap();
    assert_eq!(*get().unwrap(), load::original(7));
    page.run(&watched, calls);
    until("Rust sees it", || get().is_none());
    users.set(&*key(7), load::original(7)).unwrap();
    let by_rust = stored(&mut client, &key(7));
    page.loads(&watched, 7);
    assert_eq!(stored(&mut client, &key(7)), by_rust);
}

#[test]
fn a_python_and_a_rust_program_share_a_region_from_an_empty_directory() {
    let servers = Servers::start();
    let page = servers.page();
    let program = page.program("both", page.blocks("python")[2]);
    let both = env!("CARGO_BIN_EXE_both");
    page.types(&program, page.blocks("toml")[0], both);
}
