//! What `docs/python.md` shows is what happens: its blocks are run, in their order.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use dogpile::{Host, Invalidation};
use dogpile_tests::plugin_file;
use dogpile_tests::python_process::DOCS;
use dogpile_tests::redis_server::RedisServer;
use redis::{Commands, Connection};
use tempfile::TempDir;

use crate::peer::interpreter;
use crate::support::{client, until};
use crate::users::{User, load};

const PAGE: &str = include_str!("../../../docs/python.md");

/// Where the page has its server.
const URL: &str = "redis://localhost:6379/0";

/// The page's programs, beside a server of the test's own.
struct Page {
    server: RedisServer,
    folder: TempDir,
}

impl Page {
    /// The fenced blocks of that language.
    fn blocks(&self, language: &str) -> Vec<String> {
        let url = format!("redis://127.0.0.1:{}/0", self.server.port());
        let blocks = PAGE.split("```").skip(1).step_by(2);
        let blocks = blocks.filter_map(|block| block.strip_prefix(&format!("{language}\n")));
        blocks.map(|block| block.replace(URL, &url)).collect()
    }

    /// A Python program whose `myapp/users.py` is that block.
    fn program(&self, name: &str, users: &str) -> PathBuf {
        let folder = self.folder.path().join(name);
        fs::create_dir_all(folder.join("myapp")).unwrap();
        fs::write(folder.join("myapp/users.py"), users).unwrap();
        let shared = format!("{DOCS}/dogpile_shared.py");
        fs::copy(shared, folder.join("dogpile_shared.py")).unwrap();
        folder
    }

    /// A host of the page's manifest.
    fn host(&self, name: &str, manifest: &str) -> Host {
        let file = self.folder.path().join(name);
        let plugins = plugin_file("redis");
        let plugins = plugins.parent().unwrap().display();
        let host = format!("version = 1\n[host]\nplugin_dir = \"{plugins}\"\n");
        fs::write(&file, manifest.replacen("version = 1\n", &host, 1)).unwrap();
        Host::open(file).unwrap()
    }
}

/// What a program prints that runs this in that folder.
#[track_caller]
fn run(program: &PathBuf, code: &str) -> String {
    let output = Command::new(interpreter())
        .args(["-B", "-W", "error", "-c", code])
        .current_dir(program)
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{code}: {told}");
    String::from_utf8(output.stdout)
        .unwrap()
        .trim_end()
        .to_owned()
}

/// What a program gets that loads one.
#[track_caller]
fn loads(program: &PathBuf, id: u64) {
    let code = format!("from myapp.users import load; print(load({id}))");
    assert_eq!(
        run(program, &code),
        format!("{{'id': {id}, 'name': 'Ada'}}")
    );
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
    let page = Page {
        server: RedisServer::start(&[]),
        folder: tempfile::tempdir().unwrap(),
    };
    assert_eq!(page.blocks("rust"), [include_str!("users.rs")]);
}

#[test]
fn a_region_moves_as_the_page_tells() {
    let page = Page {
        server: RedisServer::start(&[]),
        folder: tempfile::tempdir().unwrap(),
    };
    let mut client = client(&page.server);
    let (python, toml) = (page.blocks("python"), page.blocks("toml"));
    let [before, reads, writes, calls, prefixed] = &python[..] else {
        panic!("there are other blocks: {python:#?}");
    };
    let before = page.program("before", before);
    let (reads, writes) = (page.program("reads", reads), page.program("writes", writes));
    let key = |id: u64| format!("myapp.users:load|{id}");

    // Before, and step 1: pickles, which both read.
    for (id, writer, reader) in [(1, &before, &reads), (2, &reads, &before)] {
        loads(writer, id);
        let pickled = stored(&mut client, &key(id));
        assert!(is_pickled(&pickled));
        loads(reader, id);
        loads(&writes, id);
        assert_eq!(stored(&mut client, &key(id)), pickled);
    }

    // Step 2: JSON, which step 1 reads and what was before does not.
    loads(&writes, 3);
    let json = stored(&mut client, &key(3));
    assert!(json.ends_with(br#"|{"id":3,"name":"Ada"}"#));
    loads(&reads, 3);
    let code = "from myapp.users import load; import pickle\n\
                try: load(3)\n\
                except pickle.UnpicklingError: print('it raises')";
    assert_eq!(run(&before, code), "it raises");

    // Step 3: Rust reads what Python wrote, and back.
    let host = page.host("dogpile.toml", &toml[0]);
    host.install().unwrap();
    let users = host.region("users").unwrap();
    assert_eq!(load::key(42).unwrap(), key(42));
    let user = load(3);
    assert_eq!((user, users.stats().creations), (load::original(3), 0));
    assert_eq!(stored(&mut client, &key(3)), json);
    load(4);
    let by_rust = stored(&mut client, &key(4));
    for reader in [&reads, &writes] {
        loads(reader, 4);
    }
    assert_eq!(stored(&mut client, &key(4)), by_rust);
    load(1);
    assert!(!is_pickled(&stored(&mut client, &key(1))));
    loads(&writes, 1);
    assert_eq!(users.stats().creations, 2);

    // Python invalidates, and Rust.
    load(42);
    run(&writes, calls);
    assert!(stored(&mut client, &key(42)).is_empty());
    until("Rust sees it", || load::get(3).unwrap().is_none());
    let get = "from myapp.users import users; print(bool(users.get('myapp.users:load|5')))";
    load(5);
    assert_eq!(run(&writes, get), "True");
    users.invalidate(Invalidation::Hard).unwrap();
    assert_eq!(run(&writes, get), "False");

    // With a prefix, and a mangler.
    let prefixed = page.program("prefixed", prefixed);
    let host = page.host("prefixed.toml", &toml[1]);
    let users = host.region("users").unwrap();
    loads(&prefixed, 6);
    let get = || users.get::<User>(&*key(6)).unwrap();
    assert_eq!(*get().unwrap(), load::original(6));
    run(&prefixed, calls);
    assert!(!stored(&mut client, "myapp:_dogpile_inv:users").is_empty());
    until("Rust sees it", || get().is_none());
}
