//! A template cache, linked in with the probe, that shows what the host does with it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex};

use dogpile_plugin_api::{
    Decision, Deserialize, Error, HostContext, JsonSchema, Result, TemplateCache, TemplateEntry,
    TemplateRequest,
};

use crate::support::until;

static CASES: LazyLock<Mutex<HashMap<String, Arc<Case>>>> = LazyLock::new(Mutex::default);

/// What all instances that were opened with one `case` have in common.
#[derive(Default)]
pub(crate) struct Case {
    pub(crate) opened: AtomicUsize,
    pub(crate) dropped: AtomicUsize,
    /// Whether none opens.
    pub(crate) shut: AtomicBool,
    /// Whether what is asked about `hang.html` hangs.
    pub(crate) hangs: AtomicBool,
    /// How many calls hang.
    pub(crate) hanging: AtomicUsize,
}

impl Case {
    /// The case of that name: one for each test.
    pub(crate) fn named(name: &str) -> Arc<Self> {
        Arc::clone(CASES.lock().unwrap().entry(name.to_owned()).or_default())
    }

    pub(crate) fn counts(&self) -> (usize, usize) {
        let count = |counter: &AtomicUsize| counter.load(Ordering::SeqCst);
        (count(&self.opened), count(&self.dropped))
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(crate = "dogpile_plugin_api::serde")]
#[schemars(crate = "dogpile_plugin_api::schemars")]
pub(crate) struct Arguments {
    case: String,
    #[serde(default)]
    region: String,
    /// To be told apart by a number that may be interpolated.
    #[serde(default)]
    #[expect(dead_code, reason = "only whether it is read matters")]
    number: u32,
}

pub(crate) struct Judge {
    arguments: Arguments,
    case: Arc<Case>,
}

impl TemplateCache for Judge {
    type Arguments = Arguments;

    fn open(arguments: Arguments, _: &HostContext) -> Result<Self> {
        let case = Case::named(&arguments.case);
        if case.shut.load(Ordering::SeqCst) {
            return Err(Error::unavailable("not yet"));
        }
        case.opened.fetch_add(1, Ordering::SeqCst);
        Ok(Self { arguments, case })
    }

    fn key_for<'a>(&'a self, request: &TemplateRequest<'a>) -> Result<TemplateEntry<'a>> {
        assert_ne!(request.template(), "panic.html", "not that one");
        if request.template() == "hang.html" {
            self.case.hanging.fetch_add(1, Ordering::SeqCst);
            until("it goes on", || !self.case.hangs.load(Ordering::SeqCst));
            self.case.hanging.fetch_sub(1, Ordering::SeqCst);
        }
        Ok(TemplateEntry::asked(request, &self.arguments.region))
    }

    fn decide<'a>(&'a self, request: &TemplateRequest<'a>) -> Result<Decision<'a>> {
        if request.template() == "refused.html" {
            return Err(Error::unavailable("the secret is canary-1"));
        }
        self.key_for(request).map(Decision::Cache)
    }

    fn ignores_keys(&self) -> bool {
        true
    }
}

impl Drop for Judge {
    fn drop(&mut self) {
        self.case.dropped.fetch_add(1, Ordering::SeqCst);
    }
}
