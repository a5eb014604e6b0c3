//! A plugin, linked in, that shows what the host does with its instances.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Condvar, LazyLock, Mutex};
use std::thread;
use std::time::Duration;

use dogpile_plugin_api::{
    Backend, BackendStats, Deserialize, Error, HostContext, JsonSchema, Key, NoArguments, Proxied,
    Proxy, Result, Storage, Value, export_plugin,
};

use crate::judge::Judge;
use crate::support::DEADLINE;

static LOGS: LazyLock<Mutex<HashMap<String, Arc<Log>>>> = LazyLock::new(Mutex::default);

/// All instances that were opened with one `log`, in their order.
#[derive(Default)]
pub(crate) struct Log {
    opened: Mutex<Vec<Arc<Watched>>>,
    gate: Gate,
    /// The tags that nothing opens with.
    refused: Mutex<HashSet<String>>,
    /// How many are open of which one alone can be.
    exclusive: Mutex<usize>,
}

/// One instance.
#[derive(Default)]
pub(crate) struct Watched {
    pub(crate) tag: String,
    seen: Mutex<Seen>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    running: usize,
    pub(crate) closes: usize,
    pub(crate) gets: Vec<String>,
    pub(crate) sets: Vec<String>,
    /// The tags that it has taken on since it was opened.
    pub(crate) taken_on: Vec<String>,
    /// What the host must not do.
    pub(crate) faults: Vec<String>,
    /// Where it was closed.
    pub(crate) closed_by: String,
}

impl Log {
    /// The log of that name: one for each test.
    pub(crate) fn named(name: &str) -> Arc<Self> {
        let mut logs = LOGS.lock().unwrap();
        Arc::clone(logs.entry(name.to_owned()).or_default())
    }

    pub(crate) fn opened(&self) -> usize {
        self.opened.lock().unwrap().len()
    }

    /// What the instances have seen, in the order in which they were opened.
    pub(crate) fn seen(&self, instance: usize) -> Seen {
        let opened = self.opened.lock().unwrap();
        let seen = opened[instance].seen.lock().unwrap();
        seen.clone()
    }

    /// How often each instance was closed.
    pub(crate) fn closes(&self) -> Vec<usize> {
        (0..self.opened())
            .map(|instance| self.seen(instance).closes)
            .collect()
    }

    /// All that the host did wrong.
    pub(crate) fn faults(&self) -> Vec<String> {
        (0..self.opened())
            .flat_map(|instance| self.seen(instance).faults)
            .collect()
    }

    /// Nothing opens with that tag any more.
    pub(crate) fn refuse(&self, tag: &str) {
        self.refused.lock().unwrap().insert(tag.to_owned());
    }

    /// Everything opens again.
    pub(crate) fn accept(&self) {
        self.refused.lock().unwrap().clear();
    }

    /// What instances have taken on, in the order in which they were opened.
    pub(crate) fn taken_on(&self) -> Vec<Vec<String>> {
        (0..self.opened())
            .map(|instance| self.seen(instance).taken_on)
            .collect()
    }

    /// Holds all calls of `method` on instances with that `tag` until it is opened again.
    pub(crate) fn hold(&self, method: &str, tag: &str) {
        self.gate.hold(method, tag);
    }

    pub(crate) fn until_held(&self, calls: usize) {
        self.gate.until_held(calls);
    }

    /// How many calls are held.
    pub(crate) fn held(&self) -> usize {
        self.gate.state.lock().unwrap().1
    }

    pub(crate) fn let_go(&self) {
        self.gate.let_go();
    }

    pub(crate) fn let_go_of(&self, method: &str) {
        self.gate.let_go_of(method);
    }
}

/// Where calls can be held.
#[derive(Default)]
struct Gate {
    state: Mutex<(HashSet<(String, String)>, usize)>,
    changed: Condvar,
}

impl Gate {
    fn hold(&self, method: &str, tag: &str) {
        let place = (method.to_owned(), tag.to_owned());
        self.state.lock().unwrap().0.insert(place);
    }

    fn pass(&self, method: &str, tag: &str) {
        let place = (method.to_owned(), tag.to_owned());
        let mut state = self.state.lock().unwrap();
        if !state.0.contains(&place) {
            return;
        }
        state.1 += 1;
        self.changed.notify_all();
        let wait = self
            .changed
            .wait_timeout_while(state, DEADLINE, |state| state.0.contains(&place));
        let (mut state, waited) = wait.unwrap();
        state.1 -= 1;
        assert!(!waited.timed_out(), "{method} of {tag} is held for ever");
    }

    fn until_held(&self, calls: usize) {
        let state = self.state.lock().unwrap();
        let wait = self
            .changed
            .wait_timeout_while(state, DEADLINE, |state| state.1 < calls);
        assert!(!wait.unwrap().1.timed_out(), "nobody calls");
    }

    fn let_go_of(&self, method: &str) {
        let mut state = self.state.lock().unwrap();
        state.0.retain(|(held, _)| held != method);
        drop(state);
        self.changed.notify_all();
    }

    fn let_go(&self) {
        self.state.lock().unwrap().0.clear();
        self.changed.notify_all();
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(crate = "dogpile_plugin_api::serde")]
#[schemars(crate = "dogpile_plugin_api::schemars")]
#[expect(
    clippy::struct_excessive_bools,
    reason = "a test says what it wants of it"
)]
struct Arguments {
    log: String,
    #[serde(default)]
    tag: String,
    #[serde(default)]
    shared: bool,
    #[serde(default)]
    objects: bool,
    /// What it does instead of answering a ping: `fail`, `panic` or `hang`.
    #[serde(default)]
    ping: String,
    /// What it does when it is to take on these arguments: `take`, `fail` or `panic`; else it wants a new instance.
    #[serde(default)]
    reconfigure: String,
    #[serde(default)]
    exclusive: bool,
    /// In milliseconds.
    #[serde(default)]
    longest_call: Option<u64>,
    /// Whether it says how many entries it has.
    #[serde(default)]
    counts: bool,
    #[serde(default)]
    #[expect(dead_code, reason = "only its place in the manifest matters")]
    tls: Option<Tls>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(crate = "dogpile_plugin_api::serde")]
#[schemars(crate = "dogpile_plugin_api::schemars")]
struct Tls {
    #[expect(dead_code, reason = "only its place in the manifest matters")]
    ca: Option<String>,
}

struct Probe {
    arguments: Arguments,
    log: Arc<Log>,
    watched: Arc<Watched>,
    stored: Mutex<HashMap<String, Value>>,
}

impl Probe {
    fn see(&self, see: impl FnOnce(&mut Seen)) {
        see(&mut self.watched.seen.lock().unwrap());
    }

    /// Passes the gate, and sees to it that nothing comes after `close` or during it.
    fn call<T>(&self, method: &str, key: &str, call: impl FnOnce() -> T) -> T {
        self.see(|seen| {
            seen.running += 1;
            if seen.closes > 0 {
                seen.faults.push(format!("{method} of {key} after close"));
            }
        });
        self.log.gate.pass(method, &self.watched.tag);
        let result = call();
        self.see(|seen| seen.running -= 1);
        result
    }
}

impl Backend for Probe {
    type Arguments = Arguments;

    fn open(arguments: Arguments, _: &HostContext) -> Result<Self> {
        let log = Log::named(&arguments.log);
        log.gate.pass("open", &arguments.tag);
        if log.refused.lock().unwrap().contains(&arguments.tag) {
            return Err(Error::unavailable("there is no such line"));
        }
        if arguments.exclusive {
            let mut open = log.exclusive.lock().unwrap();
            if *open > 0 {
                return Err(Error::unavailable("somebody has the line"));
            }
            *open += 1;
        }
        let watched = Arc::new(Watched {
            tag: arguments.tag.clone(),
            ..Watched::default()
        });
        log.opened.lock().unwrap().push(Arc::clone(&watched));
        Ok(Self {
            arguments,
            log,
            watched,
            stored: Mutex::default(),
        })
    }

    fn get(&self, key: &Key) -> Result<Option<Value>> {
        assert_ne!(key.as_str(), "panic", "not that key");
        self.call("get", key, || {
            self.see(|seen| seen.gets.push(key.to_string()));
            Ok(self.stored.lock().unwrap().get(key.as_str()).cloned())
        })
    }

    fn set(&self, key: &Key, value: &Value) -> Result<()> {
        self.call("set", key, || {
            self.see(|seen| seen.sets.push(key.to_string()));
            let mut stored = self.stored.lock().unwrap();
            stored.insert(key.to_string(), value.clone());
            Ok(())
        })
    }

    fn delete(&self, key: &Key) -> Result<()> {
        self.call("delete", key, || {
            self.stored.lock().unwrap().remove(key.as_str());
            Ok(())
        })
    }

    fn reconfigure(&self, arguments: &Arguments) -> Result<bool> {
        self.call("reconfigure", &arguments.tag, || {
            match &*arguments.reconfigure {
                "take" => {
                    let tag = arguments.tag.clone();
                    self.see(|seen| seen.taken_on.push(tag));
                    Ok(true)
                }
                "fail" => Err(Error::unavailable("the line is busy")),
                "panic" => panic!("the line is on fire"),
                _ => Ok(false),
            }
        })
    }

    fn longest_call(&self) -> Option<Duration> {
        self.arguments.longest_call.map(Duration::from_millis)
    }

    fn stats(&self) -> Result<BackendStats> {
        let mut stats = BackendStats::default();
        if self.arguments.counts {
            stats.entries = Some(self.stored.lock().unwrap().len() as u64);
        }
        Ok(stats)
    }

    fn exclusive(&self) -> bool {
        self.arguments.exclusive
    }

    fn ping(&self) -> Result<()> {
        match &*self.arguments.ping {
            "fail" => Err(Error::unavailable("the line is dead")),
            "panic" => panic!("the line is on fire"),
            "hang" => self.call("ping", "", || Ok(())),
            _ => Ok(()),
        }
    }

    fn close(&self) -> Result<()> {
        self.log.gate.pass("close", &self.watched.tag);
        if self.arguments.exclusive {
            *self.log.exclusive.lock().unwrap() -= 1;
        }
        self.see(|seen| {
            seen.closes += 1;
            if seen.running > 0 {
                seen.faults.push("closed during a call".to_owned());
            }
            let thread = thread::current();
            thread
                .name()
                .unwrap_or_default()
                .clone_into(&mut seen.closed_by);
        });
        Ok(())
    }

    fn storage(&self) -> Storage {
        if self.arguments.objects {
            Storage::Objects
        } else {
            Storage::Bytes
        }
    }

    fn shared(&self) -> bool {
        self.arguments.shared
    }
}

/// Changes nothing; its arguments are there to be told apart, or to be held.
struct Through(Proxied);

#[derive(Deserialize, JsonSchema)]
#[serde(crate = "dogpile_plugin_api::serde")]
#[schemars(crate = "dogpile_plugin_api::schemars")]
struct ThroughArguments {
    #[serde(default)]
    tag: u32,
    /// By whose gate it is held as it opens.
    log: Option<String>,
}

impl Proxy for Through {
    type Arguments = ThroughArguments;

    fn open(arguments: ThroughArguments, proxied: Proxied, _: &HostContext) -> Result<Self> {
        if let Some(log) = &arguments.log {
            let gate = &Log::named(log).gate;
            gate.pass("wrap", &arguments.tag.to_string());
        }
        Ok(Self(proxied))
    }

    fn proxied(&self) -> &Proxied {
        &self.0
    }
}

/// As `through`, and wants bytes.
struct Bytes(Proxied);

impl Proxy for Bytes {
    type Arguments = NoArguments;

    fn open(_: NoArguments, proxied: Proxied, _: &HostContext) -> Result<Self> {
        Ok(Self(proxied))
    }

    fn proxied(&self) -> &Proxied {
        &self.0
    }

    fn storage(&self) -> Storage {
        Storage::Bytes
    }
}

export_plugin! {
    backends: { "probe" => Probe }
    proxies: { "through" => Through, "bytes" => Bytes }
    template_caches: { "judge" => Judge }
}
