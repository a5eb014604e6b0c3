//! All that was said.

use std::error::Error;
use std::fmt::{Debug, Display};
use std::io::{self, Write};
use std::sync::{Arc, LazyLock, Mutex};

use tracing_subscriber::fmt::MakeWriter;

/// What every secret in these tests has in it.
pub(crate) const CANARY: &str = "c4n4ry";

/// What is no secret, and in every configuration: outputs without it would prove nothing.
pub(crate) const MARKER: &str = "m4rker";

/// Texts with where they came from.
#[derive(Default)]
pub(crate) struct Outputs(Vec<(String, String)>);

impl Outputs {
    pub(crate) fn add(&mut self, from: &str, text: impl Display) {
        self.0.push((from.to_owned(), text.to_string()));
    }

    pub(crate) fn debug(&mut self, from: &str, value: &impl Debug) {
        self.add(from, format!("{value:?} {value:#?}"));
    }

    /// An error in every form, with what caused it.
    pub(crate) fn error(&mut self, from: &str, error: &(dyn Error + 'static)) {
        self.debug(from, &error);
        let mut cause = Some(error);
        while let Some(error) = cause {
            self.add(from, error);
            cause = error.source();
        }
    }

    /// Whether something from there holds that text.
    pub(crate) fn has(&self, from: &str, text: &str) -> bool {
        let mut of = self.0.iter().filter(|(whence, _)| whence == from);
        of.any(|(_, said)| said.contains(text))
    }

    /// That the marker was found in all of these, and a secret in nothing at all.
    #[track_caller]
    pub(crate) fn judge(&self, case: &str, with_marker: &[&str]) {
        for from in with_marker {
            assert!(
                self.has(from, MARKER),
                "{case}: no marker from {from}: {self:#?}"
            );
        }
        let leaks = self.leaks();
        assert!(leaks.is_empty(), "{case}: {}", leaks.join("\n\n"));
    }

    /// What holds a secret.
    pub(crate) fn leaks(&self) -> Vec<String> {
        let mut leaks = Vec::new();
        for (from, text) in &self.0 {
            let line = text
                .lines()
                .find(|line| line.to_lowercase().contains(CANARY));
            leaks.extend(line.map(|line| format!("a secret from {from}: {line}")));
        }
        leaks
    }
}

impl Debug for Outputs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list()
            .entries(self.0.iter().map(|(from, _)| from))
            .finish()
    }
}

/// What this process logs, at every level and of every crate.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    /// All since the process began, of whichever test.
    pub(crate) fn all() -> String {
        String::from_utf8_lossy(&Self::start().0.lock().unwrap()).into_owned()
    }

    pub(crate) fn start() -> &'static Self {
        static LOG: LazyLock<Log> = LazyLock::new(|| {
            let log = Log::default();
            let subscriber = tracing_subscriber::fmt()
                .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
                .with_ansi(false)
                .with_writer(log.clone());
            subscriber.init();
            log
        });
        &LOG
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn the_search_finds_what_is_there() {
    let mut outputs = Outputs::default();
    outputs.add("clean", MARKER);
    outputs.judge("control", &["clean"]);
    outputs.add("dirty", format!("x\n{MARKER} C4N4RY y"));
    assert_eq!(
        outputs.leaks(),
        [format!("a secret from dirty: {MARKER} C4N4RY y")]
    );
    dogpile_plugin_api::tracing::trace!("{MARKER} of the log");
    Log::start();
    dogpile_plugin_api::tracing::trace!("{MARKER} of the log");
    assert!(Log::all().contains("m4rker of the log"));
}
