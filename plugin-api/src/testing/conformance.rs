use std::sync::Arc;
use std::time::Duration;

use super::Offered;
use super::fixture::Subject;
use super::report::{CaseReport, Report};
use super::run;
use super::suite::Suite;

/// The suites on one backend, with all that can be set.
///
/// Each case has an instance and keys of its own, on a thread of its own: one that fails, panics or hangs is a row of the
/// report, and the others go on. A plugin that ends the process ends the suites too: `dogpile conformance` runs them in
/// a process that may die.
///
/// ```
/// # use dogpile_plugin_api as api;
/// # use api::{Backend, HostContext, Key, NoArguments, Result, Value, BackendStats};
/// # struct Nothing;
/// # impl Backend for Nothing {
/// #     type Arguments = NoArguments;
/// #     fn open(_: NoArguments, _: &HostContext) -> Result<Self> { Ok(Self) }
/// #     fn get(&self, _: &Key) -> Result<Option<Value>> { Ok(None) }
/// #     fn set(&self, _: &Key, _: &Value) -> Result<()> { Ok(()) }
/// #     fn delete(&self, _: &Key) -> Result<()> { Ok(()) }
/// #     fn stats(&self) -> Result<BackendStats> {
/// #         let mut stats = BackendStats::default();
/// #         stats.entries = Some(0);
/// #         Ok(stats)
/// #     }
/// #     fn shared(&self) -> bool { false }
/// # }
/// # api::export_plugin! { backends: { "nothing" => Nothing } }
/// # fn main() {
/// use dogpile_plugin_api::testing::{Conformance, Offered, Suite};
///
/// let backend = Offered { plugin: plugin(), name: "nothing", arguments: "{}" };
/// let report = Conformance::of(backend)
///     .suites(&[Suite::Backend, Suite::Serializer])
///     .largest_value(1 << 20)
///     .run();
/// report.assert_passed();
/// # }
/// ```
#[derive(Clone)]
#[must_use = "nothing is looked at before `run`"]
pub struct Conformance<'a> {
    backend: Offered<'a>,
    proxies: &'a [Offered<'a>],
    suites: Vec<Suite>,
    names: Option<Vec<String>>,
    largest_value: usize,
    limit: Duration,
}

/// What is told of a run while it goes on.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Progress<'a> {
    /// A case begins. Those that wait for leases run at once.
    Begins(&'static str),
    /// A case has ended.
    Ended(&'a CaseReport),
}

impl<'a> Conformance<'a> {
    /// All suites on that backend.
    pub fn of(backend: Offered<'a>) -> Self {
        Self {
            backend,
            proxies: &[],
            suites: Suite::ALL.to_vec(),
            names: None,
            largest_value: 16 << 20,
            limit: Duration::from_mins(2),
        }
    }

    /// With proxies around it, the first of which is the outermost.
    pub fn behind(mut self, proxies: &'a [Offered<'a>]) -> Self {
        self.proxies = proxies;
        self
    }

    /// These suites alone.
    pub fn suites(mut self, suites: &[Suite]) -> Self {
        self.suites = suites.to_vec();
        self
    }

    /// The cases of these names alone. All need the first one, that the backend opens and answers, which is always there.
    pub fn cases(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.names = Some(names.into_iter().map(Into::into).collect());
        self
    }

    /// How many bytes a value has at most; 16 MiB by default, and what is less than 16 KiB counts as that. A storage that
    /// refuses long values, by an error of that kind, needs no other limit: this is for one that would be filled by them.
    pub fn largest_value(mut self, bytes: usize) -> Self {
        self.largest_value = bytes;
        self
    }

    /// How long a case may take; 2 minutes by default. One that takes longer has failed: its thread and its instance are
    /// left behind. After three of these the others are skipped.
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Runs all. Blocks until the last case has ended: some wait for leases to pass, a few seconds in all.
    pub fn run(&self) -> Report {
        self.run_telling(|_| {})
    }

    /// As [`run`](Self::run), and tells how it goes, on the caller's thread.
    pub fn run_telling(&self, mut told: impl FnMut(Progress<'_>)) -> Report {
        let subject = Subject::new(self.backend, self.proxies, self.largest_value);
        let wanted = |name: &str| {
            let names = self.names.as_ref();
            names.is_none_or(|names| names.iter().any(|one| one == name))
        };
        let suites = self.suites.iter();
        let mut cases: Vec<_> = suites.flat_map(|suite| suite.cases()).collect();
        cases.retain(|case| wanted(case.name));
        run::run(&Arc::new(subject), &cases, self.limit, &mut told)
    }
}
