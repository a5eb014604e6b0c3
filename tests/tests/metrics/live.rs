//! A host of the test's own, with traffic, that Prometheus can read.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread;

use dogpile::{Host, Invalidation, Region, Source, Trust};
use dogpile_plugin_api::{TemplatePart, TemplateRequest};
use dogpile_tests::until::until;
use tempfile::TempDir;

use crate::trouble::{Trouble, TroubleWithTemplates, hanging};

const MANIFEST: &str = r#"
version = 1

[host]
drain_timeout = "50ms"

[regions.users]
backend = "memory"
expiration_time = "1h"
arguments = { max_entries = 100 }

[regions.broken]
backend = "trouble"
arguments = { pings = false }
expiration_time = "1h"

[regions.hung]
backend = "trouble"
arguments = { pings = true }
expiration_time = "1h"
hang_after = "100ms"

[regions.replaced]
backend = "trouble"
arguments = { pings = true }
expiration_time = "1h"
hang_after = "never"

[templates]
plugin = "trouble-with-templates"
arguments = { panicked = "FOLDER/panicked" }
"#;

pub(crate) struct Live {
    pub(crate) host: Arc<Host>,
    folder: TempDir,
}

impl Live {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let manifest = folder.path().join("dogpile.toml");
        fs::write(&manifest, text(&folder)).unwrap();
        let host = Host::builder()
            .plugin(dogpile_plugin_memory::plugin())
            .template_cache::<TroubleWithTemplates>("trouble-with-templates")
            .backend::<Trouble>("trouble")
            .manifest(manifest)
            .watch(false)
            .trust(Trust::Off)
            .build();
        let host = Arc::new(host.unwrap());
        Self { host, folder }
    }

    fn manifest(&self) -> PathBuf {
        self.folder.path().join("dogpile.toml")
    }

    fn region(&self, name: &str) -> Region {
        self.host.region(name).unwrap()
    }

    /// Answers whoever asks for its metrics, until the process ends. Gives the address.
    pub(crate) fn serve(&self) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let host = Arc::clone(&self.host);
        thread::spawn(move || {
            for stream in listener.incoming() {
                // Whoever asked may be gone.
                let _gone = answer(&host, &stream.unwrap());
            }
        });
        address
    }

    /// All that the board shows and the alerts tell of happens, but for a manifest that is refused.
    pub(crate) fn traffic(&self) {
        let users = self.region("users");
        for number in 0..300 {
            let key = format!("user:{number}");
            users.get_or_create(&key, || number).unwrap();
            users.get_or_create(&key, || number).unwrap();
            users
                .try_get_or_create(format!("no:{number}"), || Err::<u8, _>("no"))
                .unwrap_err();
        }
        let panics = || users.get_or_create("panics", || -> u8 { panic!("the creator panics") });
        catch_unwind(AssertUnwindSafe(panics)).unwrap_err();
        let mut turns = 0..;
        until("a caller waits", || {
            let key = format!("waits {}", turns.next().unwrap());
            beside_a_creation(&users, &key) == Source::Waited
        });
        users.get_or_create("stale", || 1).unwrap();
        users.invalidate(Invalidation::Soft).unwrap();
        assert_eq!(beside_a_creation(&users, "stale"), Source::Stale);

        self.host.declare("nowhere").get::<u8>("1").unwrap_err();
        let page = TemplateRequest::new("tera", "a.html", (TemplatePart::Page, ""), "key");
        self.host.templates().key_for(&page, |_| ()).unwrap_err();

        let broken = self.region("broken");
        broken.get_or_create("unstored", || 1).unwrap();
        until("the breaker is open", || {
            broken.get::<u8>("fail").unwrap();
            let regions = self.host.status().regions;
            regions.iter().any(|region| region.state == "breaker open")
        });
        for name in ["hung", "replaced"] {
            let region = self.region(name);
            thread::spawn(move || region.get::<u8>("hang"));
        }
        until("two calls hang", || hanging() == 2);
        let replaced = text(&self.folder).replace(
            "[regions.replaced]\nbackend = \"trouble\"\narguments = { pings = true }",
            "[regions.replaced]\nbackend = \"memory\"",
        );
        fs::write(self.manifest(), replaced).unwrap();
        self.host.reload().unwrap();
        until("a replaced backend is stuck", || {
            let draining = self.host.status().draining;
            draining.iter().any(|one| one.state == "stuck")
        });
    }
}

fn text(folder: &TempDir) -> String {
    MANIFEST.replace("FOLDER", folder.path().to_str().unwrap())
}

/// Whence a caller has its value that asks while another creates it. It may come too late to wait.
fn beside_a_creation(users: &Region, key: &str) -> Source {
    let (enter, entered) = mpsc::channel();
    let (go, gate) = mpsc::channel::<()>();
    let misses = || users.stats().misses.values().sum::<u64>();
    let before = misses();
    thread::scope(|scope| {
        scope.spawn(move || {
            users.get_or_create(key, || {
                enter.send(()).unwrap();
                gate.recv().unwrap();
                2
            })
        });
        entered.recv().unwrap();
        let other = scope.spawn(|| users.get_or_create(key, || 3).unwrap().source());
        until("the other has read", || misses() >= before + 2);
        go.send(()).unwrap();
        other.join().unwrap()
    })
}

fn answer(host: &Host, mut stream: &TcpStream) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream).lines();
    while lines
        .next()
        .transpose()?
        .is_some_and(|line| !line.is_empty())
    {}
    let (text, kind) = (host.metrics_text(), dogpile::METRICS_CONTENT_TYPE);
    let length = text.len();
    write!(
        stream,
        "HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{text}"
    )
}
