use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use super::report::{CaseReport, Outcome, Report};
use super::{Offered, TestHost, host};
use crate::{
    BackendInstance, Error, ErrorKind, Metadata, Mutex, OwnedKey, Plugin, Result, Storage, Value,
};

/// A case: what must hold, and how it is looked at.
pub(super) type Case = (&'static str, fn(&Fixture<'_>) -> Ended);

/// How a case ends early.
pub(super) enum Stop {
    Failed(String),
    NotSupported(String),
}

pub(super) type Ended = std::result::Result<(), Stop>;

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Failed(format!("error of kind {:?}: {error}", error.kind()))
    }
}

/// Ends the case as failed unless `holds`.
pub(super) fn check(holds: bool, found: impl fmt::Display) -> Ended {
    if holds {
        Ok(())
    } else {
        Err(Stop::Failed(found.to_string()))
    }
}

/// How the case of a thread ended.
pub(super) fn joined(thread: thread::Result<Ended>) -> Ended {
    thread.unwrap_or_else(|_| Err(Stop::Failed(String::from("a thread panicked"))))
}

/// Ends the case as not supported.
pub(super) fn not_supported<T>(what: impl fmt::Display) -> std::result::Result<T, Stop> {
    Err(Stop::NotSupported(what.to_string()))
}

/// A fresh instance for a case, and keys of its own.
pub(super) struct Fixture<'a> {
    pub(super) backend: BackendInstance,
    pub(super) host: TestHost,
    subject: Subject<'a>,
    prefix: String,
    keeps: bool,
}

/// What is looked at: a backend, and the proxies around it.
#[derive(Clone, Copy)]
pub(super) struct Subject<'a> {
    pub(super) backend: Offered<'a>,
    pub(super) proxies: &'a [Offered<'a>],
}

impl<'a> Subject<'a> {
    pub(super) fn backend(plugin: Plugin, name: &'a str, arguments: &'a str) -> Self {
        Self {
            backend: Offered {
                plugin,
                name,
                arguments,
            },
            proxies: &[],
        }
    }

    fn title(&self) -> String {
        let parts = self.proxies.iter().chain([&self.backend]);
        parts.map(|part| part.name).collect::<Vec<_>>().join(" > ")
    }
}

pub(super) fn run(subject: Subject<'_>, cases: &[Case]) -> Report {
    let mut report = Report {
        backend: subject.title(),
        cases: Vec::with_capacity(cases.len()),
    };
    let keeps = match Fixture::open(subject, true).and_then(|probe| probe.probe()) {
        Ok(keeps) => keeps,
        Err(error) => {
            report.cases.push(CaseReport {
                name: "it_opens_and_answers",
                outcome: Outcome::Failed(error.to_string()),
            });
            return report;
        }
    };
    for (case, look) in cases {
        // A panic inside a case is a finding about this backend, and the next case has an instance of its own.
        let ended = catch_unwind(AssertUnwindSafe(|| {
            let fixture = Fixture::open(subject, keeps)?;
            look(&fixture)?;
            Ok(fixture.backend.close()?)
        }));
        let outcome = match ended {
            Ok(Ok(())) => Outcome::Passed,
            Ok(Err(Stop::Failed(found))) => Outcome::Failed(found),
            Ok(Err(Stop::NotSupported(what))) => Outcome::NotSupported(what),
            Err(_) => Outcome::Failed(String::from("the case panicked")),
        };
        report.cases.push(CaseReport {
            name: case,
            outcome,
        });
    }
    report
}

impl<'a> Fixture<'a> {
    fn open(subject: Subject<'a>, keeps: bool) -> Result<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let host = host();
        // No other run, before or beside this one, has these keys.
        let prefix = format!(
            "conformance:{:x}:{:x}:{:x}:",
            host.context().now(),
            std::process::id(),
            NEXT.fetch_add(1, Ordering::Relaxed)
        );
        Ok(Self {
            backend: host.open(subject.backend, subject.proxies)?,
            host,
            subject,
            prefix,
            keeps,
        })
    }

    /// Whether the storage keeps anything at all. One that does not must say so.
    fn probe(&self) -> Result<bool> {
        let key = self.key("probe");
        self.set(&key, b"probe")?;
        let found = self.get(&key)?.is_some();
        let keeps = found || self.backend.stats()?.entries != Some(0);
        self.backend.delete(&key.as_key())?;
        self.backend.close()?;
        Ok(keeps)
    }

    /// Another instance with these arguments, or others.
    pub(super) fn another(&self, arguments: Option<&str>) -> Result<BackendInstance> {
        let mut backend = self.subject.backend;
        backend.arguments = arguments.unwrap_or(backend.arguments);
        self.host.open(backend, self.subject.proxies)
    }

    pub(super) fn arguments(&self) -> &str {
        self.subject.backend.arguments
    }

    /// Whether the storage keeps anything at all.
    pub(super) fn keeps(&self) -> bool {
        self.keeps
    }

    pub(super) fn key(&self, text: &str) -> OwnedKey {
        self.host.key(format!("{}{text}", self.prefix))
    }

    pub(super) fn value(&self, key: &OwnedKey, bytes: &[u8]) -> Value {
        let now = self.host.context().now();
        let metadata = Metadata {
            created: now,
            started: now,
            keep_until: 0,
            weight: 0,
        };
        Value::copied(&metadata, key.as_key(), bytes)
    }

    pub(super) fn set(&self, key: &OwnedKey, bytes: &[u8]) -> Result<()> {
        self.backend.set(&key.as_key(), &self.value(key, bytes))
    }

    pub(super) fn get(&self, key: &OwnedKey) -> Result<Option<Value>> {
        self.backend.get(&key.as_key())
    }

    /// Stores where the storage may say that it cannot hold such a key or value; false if it does.
    pub(super) fn set_unless_refused(&self, key: &OwnedKey, bytes: &[u8]) -> Result<bool> {
        match self.set(key, bytes) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == ErrorKind::Refused => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// `key` has these bytes, if the storage keeps anything.
    pub(super) fn expect(&self, key: &OwnedKey, bytes: &[u8]) -> Ended {
        self.same(self.get(key)?.as_ref(), bytes, key.as_key())
    }

    /// `found` is these bytes, or nothing if the storage keeps nothing.
    pub(super) fn same(
        &self,
        found: Option<&Value>,
        bytes: &[u8],
        what: impl fmt::Display,
    ) -> Ended {
        if !self.keeps {
            return check(
                found.is_none(),
                format_args!("{what}: found a value in a storage that keeps nothing"),
            );
        }
        let Some(found) = found else {
            return check(false, format_args!("{what}: stored, and not found"));
        };
        let Some(found) = found.as_bytes() else {
            return check(
                false,
                format_args!("{what}: bytes were stored, an object was found"),
            );
        };
        if found == bytes {
            return Ok(());
        }
        let at = found
            .iter()
            .zip(bytes)
            .position(|(found, stored)| found != stored)
            .unwrap_or(found.len().min(bytes.len()));
        check(
            false,
            format_args!(
                "{what}: stored {} bytes, found {}, which differ from byte {at} on",
                bytes.len(),
                found.len()
            ),
        )
    }

    pub(super) fn absent(&self, key: &OwnedKey) -> Ended {
        check(
            self.get(key)?.is_none(),
            format_args!("{}: found, where nothing should be", key.as_key()),
        )
    }

    pub(super) fn holds_objects(&self) -> bool {
        self.backend.properties().storage == Storage::Objects
    }

    /// The mutex of `key`, or the end of the case.
    pub(super) fn mutex(&self, key: &OwnedKey) -> std::result::Result<Box<dyn Mutex>, Stop> {
        match self.backend.mutex(&key.as_key())? {
            Some(mutex) => Ok(mutex),
            None => not_supported("this backend has no mutex"),
        }
    }
}
