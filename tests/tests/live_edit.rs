//! A manifest that is edited under load: no call fails, and none sees half of an edit.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use dogpile::manifest::Manifest;
use dogpile::{Host, Region};
use dogpile_plugin_api::{
    Backend, Deserialize, HostContext, JsonSchema, Key, Result, Value, export_plugin,
};
use dogpile_tests::plugin_file;

const THREADS: u64 = 8;
const EDITS: u64 = 60;

/// Longer than anything here takes.
const DEADLINE: Duration = Duration::from_mins(1);

/// What a backend was asked that it must never be asked.
static MIXED: LazyLock<Mutex<Vec<String>>> = LazyLock::new(Mutex::default);

/// Answers every `get` with its own tag and the key that it was given: both were changed by one edit or by none.
struct Echo {
    tag: String,
    host: HostContext,
    stored: Mutex<HashMap<String, Value>>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(crate = "dogpile_plugin_api::serde")]
#[schemars(crate = "dogpile_plugin_api::schemars")]
struct EchoArguments {
    tag: String,
}

impl Echo {
    fn check(&self, method: &str, key: &Key<'_>) {
        if !key.starts_with(&format!("{}:", self.tag)) {
            let mixed = format!("{method} of {key} on {}", self.tag);
            MIXED.lock().unwrap().push(mixed);
        }
    }
}

impl Backend for Echo {
    type Arguments = EchoArguments;

    fn open(arguments: EchoArguments, host: &HostContext) -> Result<Self> {
        Ok(Self {
            tag: arguments.tag,
            host: *host,
            stored: Mutex::default(),
        })
    }

    fn get(&self, key: &Key) -> Result<Option<Value>> {
        self.check("get", key);
        if key.contains(":create") {
            return Ok(self.stored.lock().unwrap().get(key.as_str()).cloned());
        }
        let seconds = Duration::from_nanos(self.host.now()).as_secs_f64();
        let envelope = format!("{{\"ct\": {seconds}, \"v\": 2}}|\"{}={key}\"", self.tag);
        Ok(Some(envelope.into_bytes().into()))
    }

    fn set(&self, key: &Key, value: &Value) -> Result<()> {
        self.check("set", key);
        let mut stored = self.stored.lock().unwrap();
        stored.insert(key.to_string(), value.clone());
        Ok(())
    }

    fn delete(&self, key: &Key) -> Result<()> {
        self.check("delete", key);
        Ok(())
    }
}

export_plugin! { backends: { "echo" => Echo } }

/// The manifest after that many edits: each changes all three regions, one by its arguments and its prefix, one by its
/// expiration time and at times its arguments, one by its backend.
fn manifest(edit: u64) -> String {
    let moving = match edit % 3 {
        0 => "backend = \"memory\"".to_owned(),
        1 => "backend = \"null\"".to_owned(),
        _ => format!("backend = \"echo\"\nkey_prefix = \"m{edit}:\"\narguments.tag = \"m{edit}\""),
    };
    format!(
        "version = 1\n[host]\nplugin_dir = \"{}\"\n[plugins.memory]\n[plugins.null]\n\
         [regions.paired]\nbackend = \"echo\"\nexpiration_time = \"1h\"\nkey_prefix = \"t{edit}:\"\narguments.tag = \"t{edit}\"\n\
         [regions.sized]\nbackend = \"memory\"\nexpiration_time = {}\narguments.max_entries = {}\n\
         [regions.moving]\nexpiration_time = \"1h\"\n{moving}\n",
        plugin_file("memory").parent().unwrap().display(),
        1 + edit % 5,
        100 + edit / 4,
    )
}

fn save(path: &Path, edit: u64) {
    let beside = path.with_extension("beside");
    fs::write(&beside, manifest(edit)).unwrap();
    fs::rename(beside, path).unwrap();
}

/// The edit of which `text` tells, if it is of one edit alone: `t5=t5:key`.
fn edit_of(text: &str, key: &str) -> Option<u64> {
    let (tag, asked) = text.split_once('=')?;
    let (prefix, rest) = asked.split_once(':')?;
    (tag == prefix && rest == key).then(|| tag[1..].parse().ok())?
}

struct Caller {
    paired: Region,
    sized: Region,
    moving: Region,
    /// The newest edit that this thread has seen.
    newest: u64,
}

impl Caller {
    fn calls(&mut self, turn: u64) {
        let key = format!("k{}", turn % 7);
        let got = self.paired.get_or_create(&key, String::new).unwrap();
        let edit = edit_of(&got, &key).unwrap_or_else(|| panic!("of two edits: {}", *got));
        assert!(edit >= self.newest, "back from {} to {edit}", self.newest);
        self.newest = edit;

        let key = format!("create{}", turn % 5);
        let created = self.paired.get_or_create(&key, || "created".to_owned());
        assert_eq!(*created.unwrap(), "created");

        let key = format!("k{}", turn % 150);
        assert_eq!(
            *self.sized.get_or_create(&key, || key.clone()).unwrap(),
            key
        );

        let got = self
            .moving
            .get_or_create(&key, || "own".to_owned())
            .unwrap();
        assert!(*got == "own" || edit_of(&got, &key).is_some(), "{}", *got);
    }
}

#[test]
fn eight_threads_that_call_throughout_see_every_edit_as_a_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dogpile.toml");
    save(&path, 0);
    let host = Host::builder()
        .plugin(plugin())
        .manifest(&path)
        .build()
        .unwrap();
    let first = host.status().generation;
    let stop = Stop(Arc::default());
    let turns: Vec<AtomicU64> = (0..THREADS).map(|_| AtomicU64::new(0)).collect();
    thread::scope(|scope| {
        // Whatever fails, the others end.
        let _stop = &stop;
        for own in &turns {
            let region = |name| host.region(name).unwrap();
            let mut caller = Caller {
                paired: region("paired"),
                sized: region("sized"),
                moving: region("moving"),
                newest: 0,
            };
            let (stop, all) = (Stop(Arc::clone(&stop.0)), &turns);
            scope.spawn(move || {
                let stop = stop;
                while !stop.0.load(Ordering::Relaxed) {
                    caller.calls(own.fetch_add(1, Ordering::Relaxed));
                }
                // The last edit is in force when the threads are told to end.
                caller.calls(0);
                assert_eq!(caller.newest, EDITS, "of {} threads", all.len());
                drop(stop);
            });
        }
        let guard = Stop(Arc::clone(&stop.0));
        for edit in 1..=EDITS {
            let before: Vec<_> = turns
                .iter()
                .map(|own| own.load(Ordering::Relaxed))
                .collect();
            save(&path, edit);
            let hash = Manifest::load(&path).unwrap().content_hash().to_owned();
            until("the edit is applied", &stop, || {
                host.status().manifest_hash.as_ref() == Some(&hash)
            });
            assert_eq!(host.status().last_error, None);
            assert_eq!(host.status().generation, first + edit);
            // Every thread has called under it.
            until("all threads call", &stop, || {
                let now = turns.iter().map(|own| own.load(Ordering::Relaxed));
                now.zip(&before).all(|(now, before)| now > before + 1)
            });
        }
        drop(guard);
    });
    assert_eq!(*MIXED.lock().unwrap(), Vec::<String>::new());
    for region in ["paired", "sized", "moving"] {
        let stats = host.region(region).unwrap().stats();
        assert_eq!(stats.errors, 0, "{region}");
        assert!(stats.hits > 0, "{region}");
    }
}

/// Tells all threads to end when it is dropped, by a panic too.
struct Stop(Arc<AtomicBool>);

impl Drop for Stop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[track_caller]
fn until(what: &str, stop: &Stop, condition: impl Fn() -> bool) {
    let began = Instant::now();
    while !condition() {
        assert!(!stop.0.load(Ordering::Relaxed), "a thread has failed");
        assert!(began.elapsed() < DEADLINE, "never: {what}");
        thread::sleep(Duration::from_millis(1));
    }
}
