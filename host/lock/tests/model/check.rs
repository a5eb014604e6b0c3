//! Running a model over many schedules.

use std::fmt::Debug;
use std::hash::{BuildHasher, RandomState};
use std::str::FromStr;
use std::sync::atomic::{AtomicBool, Ordering};

fn number<N: FromStr<Err: Debug>>(variable: &str) -> Option<N> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().expect("a number"))
}

/// Runs the model over many schedules, in at least one of which each of `reached` must have come about.
pub(crate) fn check(reached: &[&Reached], model: impl Fn() + Send + Sync + 'static) {
    let random = || RandomState::new().hash_one("");
    let seed = number("DOGPILE_MODEL_SEED").unwrap_or_else(random);
    let schedules = number("DOGPILE_MODEL_SCHEDULES").unwrap_or(10_000);
    eprintln!("DOGPILE_MODEL_SEED={seed} ({schedules} schedules)");
    shuttle::check_random_with_seed(model, seed, schedules);
    for reached in reached {
        assert!(
            reached.1.load(Ordering::Relaxed),
            "never seen: {}",
            reached.0
        );
    }
}

/// Something without which a test shows nothing.
pub(crate) struct Reached(&'static str, AtomicBool);

impl Reached {
    pub(crate) const fn new(what: &'static str) -> Self {
        Self(what, AtomicBool::new(false))
    }

    pub(crate) fn note(&self, came_about: bool) {
        self.1.fetch_or(came_about, Ordering::Relaxed);
    }
}
