//! One metric, with all its labels.

use super::view::View;
use crate::slot::Histogram;

/// A metric: its name is the same in every version of dogpile.
pub(super) struct Family {
    /// With the unit at its end, and `_total` after that if it is a counter.
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    /// A sentence; `docs/metrics.md` has it too.
    pub(super) help: &'static str,
    /// The names of its labels.
    pub(super) labels: &'static [&'static str],
    /// Notes the samples that there are at the moment.
    pub(super) read: fn(&View<'_>, &mut Samples),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Counter,
    Gauge,
    Histogram,
}

/// What a metric tells: the values of its labels, in their order, and the number.
#[derive(Default)]
pub(super) struct Samples(pub(super) Vec<(Vec<String>, Number)>);

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Number {
    Whole(u64),
    Real(f64),
    Histogram(Histogram),
}

impl Samples {
    pub(super) fn add(&mut self, labels: &[&str], number: impl Into<Number>) {
        let labels = labels.iter().map(|value| (*value).to_owned()).collect();
        self.0.push((labels, number.into()));
    }

    /// One for each of some states, 1 for that in which it is.
    pub(super) fn add_states(&mut self, labels: &[&str], states: &[&str], is: &str) {
        for state in states {
            let labels = [labels, &[*state]].concat();
            self.add(&labels, u64::from(*state == is));
        }
    }
}

impl From<u64> for Number {
    fn from(number: u64) -> Self {
        Self::Whole(number)
    }
}

impl From<usize> for Number {
    fn from(number: usize) -> Self {
        Self::Whole(number as u64)
    }
}

impl From<f64> for Number {
    fn from(number: f64) -> Self {
        Self::Real(number)
    }
}

impl From<Histogram> for Number {
    fn from(histogram: Histogram) -> Self {
        Self::Histogram(histogram)
    }
}
