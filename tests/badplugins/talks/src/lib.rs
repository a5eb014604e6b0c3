//! Says all it can, its argument too, and panics wherever it is called for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use dogpile_plugin_api::schemars;
use dogpile_plugin_api::serde::{self, Deserialize};
use dogpile_plugin_api::{
    Backend, Error, HostContext, JsonSchema, Key, KeyMangler, Proxied, Proxy, Result, Value,
    export_plugin, tracing,
};

#[derive(Deserialize, JsonSchema)]
#[serde(crate = "serde")]
#[schemars(crate = "schemars")]
struct Arguments {
    /// Is said in every record and panic.
    note: String,
    /// Whether `open` panics.
    #[serde(default)]
    panics: bool,
    /// Whether a thread talks until the instance is dropped, which then panics.
    #[serde(default)]
    chatters: bool,
}

struct Talks {
    note: String,
    chatter: Option<(Arc<AtomicBool>, JoinHandle<()>)>,
}

impl Talks {
    fn of(arguments: Arguments) -> Self {
        let note = arguments.note;
        tracing::info!(%note, "opened");
        assert!(!arguments.panics, "open cannot with {note}");
        let chatter = arguments.chatters.then(|| {
            let ends = Arc::new(AtomicBool::new(false));
            let (told, said) = (Arc::clone(&ends), note.clone());
            let chatters = move || {
                loop {
                    tracing::info!("chatter of {said}");
                    if told.load(Ordering::Relaxed) {
                        break;
                    }
                }
                tracing::info!("chatter ends");
            };
            (ends, thread::spawn(chatters))
        });
        Self { note, chatter }
    }

    fn says(&self, what: &str) {
        let note = &self.note;
        match what {
            "levels" => {
                tracing::error!(note, "an error");
                tracing::warn!(note, "a warning");
                tracing::info!(note, "an information");
                tracing::debug!(note, "a detail");
                tracing::trace!(note, "a trace");
            }
            "span" => {
                let outer = tracing::info_span!("outer", note);
                let _outer = outer.enter();
                let _inner = tracing::error_span!("inner").entered();
                tracing::info!("inside of spans");
            }
            "log" => {
                log::error!("an error by log with {note}");
                log::warn!(target: "some::library", "a warning by log");
                log::info!("an information by log");
                log::debug!("a detail by log");
                log::trace!("a trace by log");
            }
            "thread" => {
                let note = note.clone();
                let panics = move || panic!("a thread cannot with {note}");
                assert!(thread::spawn(panics).join().is_err());
            }
            "panic" => panic!("it cannot with {note}"),
            _ => tracing::trace!("asked for {what} with {note}"),
        }
    }
}

impl Backend for Talks {
    type Arguments = Arguments;

    fn open(arguments: Arguments, _: &HostContext) -> Result<Self> {
        Ok(Self::of(arguments))
    }

    fn get(&self, key: &Key) -> Result<Option<Value>> {
        self.says(key.as_str());
        Ok(None)
    }

    fn set(&self, _: &Key, _: &Value) -> Result<()> {
        panic!("set cannot with {}", self.note)
    }

    fn delete(&self, _: &Key) -> Result<()> {
        Err(Error::unavailable(format!("delete fails with {}", self.note)))
    }

    fn clear(&self) -> Result<()> {
        panic!("clear cannot with {}", self.note)
    }

    fn ping(&self) -> Result<()> {
        panic!("ping cannot with {}", self.note)
    }

    fn close(&self) -> Result<()> {
        panic!("close cannot with {}", self.note)
    }
}

impl Drop for Talks {
    fn drop(&mut self) {
        if let Some((ends, thread)) = self.chatter.take() {
            ends.store(true, Ordering::Relaxed);
            thread.join().expect("it only talks");
            panic!("drop cannot with {}", self.note);
        }
    }
}

/// The same as a key mangler.
struct Mangles(Talks);

impl KeyMangler for Mangles {
    type Arguments = Arguments;

    fn open(arguments: Arguments, _: &HostContext) -> Result<Self> {
        Ok(Self(Talks::of(arguments)))
    }

    fn mangle(&self, key: &str) -> Result<String> {
        self.0.says(key);
        Ok(key.to_owned())
    }
}

/// The same as a proxy.
struct Passes(Talks, Proxied);

impl Proxy for Passes {
    type Arguments = Arguments;

    fn open(arguments: Arguments, proxied: Proxied, _: &HostContext) -> Result<Self> {
        Ok(Self(Talks::of(arguments), proxied))
    }

    fn proxied(&self) -> &Proxied {
        &self.1
    }

    fn get(&self, key: &Key) -> Result<Option<Value>> {
        self.0.says(key.as_str());
        self.1.get(key)
    }
}

export_plugin! {
    backends: { "talks" => Talks },
    manglers: { "talks" => Mangles },
    proxies: { "talks" => Passes },
}
