//! The metrics of regions.

use super::family::Kind::{Counter, Gauge, Histogram};
use super::family::{Family, Number, Samples};
use super::view::{RegionView, View};
use crate::ErrorKind;
use crate::slot::Count;
use crate::storages::Holds;

/// The errors in which calls of regions usually end: they are told from the beginning, others once there are some.
const USUAL_ERRORS: [ErrorKind; 8] = [
    ErrorKind::Backend,
    ErrorKind::Circle,
    ErrorKind::Creator,
    ErrorKind::LockWait,
    ErrorKind::NotObjects,
    ErrorKind::Plugin,
    ErrorKind::Serializer,
    ErrorKind::TypeMismatch,
];

/// One number of each region.
fn each<N: Into<Number>>(
    view: &View<'_>,
    samples: &mut Samples,
    number: impl Fn(&RegionView<'_>) -> N,
) {
    for region in view.regions() {
        samples.add(&[region.name], number(&region));
    }
}

/// One number of each region whose backend says it.
fn each_storage(view: &View<'_>, samples: &mut Samples, number: impl Fn(&Holds) -> Option<u64>) {
    for (name, holds) in view.storages() {
        if let Some(number) = number(holds) {
            samples.add(&[name], number);
        }
    }
}

pub(super) const FAMILIES: &[Family] = &[
    Family {
        name: "dogpile_region_info",
        kind: Gauge,
        help: "The backend of a region, and the plugin that offers it: always 1.",
        labels: &["region", "backend", "plugin"],
        read: |view, samples| {
            for region in view.regions() {
                let labels = [region.name, &region.status.backend, &region.status.plugin];
                samples.add(&labels, 1_u64);
            }
        },
    },
    Family {
        name: "dogpile_region_state",
        kind: Gauge,
        help: "The state of a region's backend: 1 for the one in which it is, else 0.",
        labels: &["region", "state"],
        read: |view, samples| {
            for region in view.regions() {
                let states = ["open", "breaker_open", "retired", "closed"];
                let state = region.status.state.replace(' ', "_");
                samples.add_states(&[region.name], &states, &state);
            }
        },
    },
    Family {
        name: "dogpile_stuck_calls",
        kind: Gauge,
        help: "Calls that are stuck in a region's backend for longer than hang_after.",
        labels: &["region"],
        read: |view, samples| each(view, samples, |region| region.status.stuck_calls),
    },
    Family {
        name: "dogpile_hits_total",
        kind: Counter,
        help: "Calls that found a fresh value.",
        labels: &["region"],
        read: |view, samples| each(view, samples, |region| region.counters.hits()),
    },
    Family {
        name: "dogpile_misses_total",
        kind: Counter,
        help: "Calls whose first read found no fresh value, by reason.",
        labels: &["region", "reason"],
        read: |view, samples| {
            for region in view.regions() {
                for (reason, count) in region.stats().misses {
                    samples.add(&[region.name, reason.name()], count);
                }
            }
        },
    },
    Family {
        name: "dogpile_stale_total",
        kind: Counter,
        help: "Calls that were served a stale value.",
        labels: &["region"],
        read: |view, samples| each(view, samples, |region| region.counters.sum(Count::Stale)),
    },
    Family {
        name: "dogpile_creations_total",
        kind: Counter,
        help: "Values that creators made, failed to make, or abandoned by a panic or as a task that was dropped.",
        labels: &["region", "outcome"],
        read: |view, samples| {
            for region in view.regions() {
                for (outcome, count) in [
                    ("created", Count::Creation),
                    ("failed", Count::FailedCreation),
                    ("abandoned", Count::AbandonedCreation),
                ] {
                    samples.add(&[region.name, outcome], region.counters.sum(count));
                }
            }
        },
    },
    Family {
        name: "dogpile_creation_seconds",
        kind: Histogram,
        help: "How long creators took that gave values or an error; one that makes several values is counted once.",
        labels: &["region"],
        read: |view, samples| {
            each(view, samples, |region| {
                region.counters.creation_times.read()
            });
        },
    },
    Family {
        name: "dogpile_waits_total",
        kind: Counter,
        help: "Values that calls got from another call's creation, for which they waited.",
        labels: &["region"],
        read: |view, samples| each(view, samples, |region| region.counters.sum(Count::Wait)),
    },
    Family {
        name: "dogpile_wait_seconds",
        kind: Histogram,
        help: "How long calls waited for another's creation that got its value, or gave up after lock_wait.",
        labels: &["region"],
        read: |view, samples| each(view, samples, |region| region.counters.wait_times.read()),
    },
    Family {
        name: "dogpile_errors_total",
        kind: Counter,
        help: "Calls that ended with an error, by its kind.",
        labels: &["region", "kind"],
        read: |view, samples| {
            for region in view.regions() {
                for kind in ErrorKind::ALL {
                    let count = region.counters.errors(kind);
                    if count > 0 || USUAL_ERRORS.contains(&kind) {
                        samples.add(&[region.name, kind.name()], count);
                    }
                }
            }
        },
    },
    Family {
        name: "dogpile_store_errors_total",
        kind: Counter,
        help: "Values that the backend failed to store, whether or not a call ended with that.",
        labels: &["region"],
        read: |view, samples| {
            each(view, samples, |region| {
                region.counters.sum(Count::StoreError)
            });
        },
    },
    Family {
        name: "dogpile_refused_refreshes_total",
        kind: Counter,
        help: "Background creations that were not begun, because too many wait already.",
        labels: &["region"],
        read: |view, samples| {
            each(view, samples, |region| {
                region.counters.sum(Count::RefusedRefresh)
            });
        },
    },
    Family {
        name: "dogpile_invalidations_total",
        kind: Counter,
        help: "Invalidations of a region, or of tags in it, by this process.",
        labels: &["region", "how"],
        read: |view, samples| {
            for region in view.regions() {
                let how = [
                    ("hard", Count::HardInvalidation),
                    ("soft", Count::SoftInvalidation),
                ];
                for (how, count) in how {
                    samples.add(&[region.name, how], region.counters.sum(count));
                }
            }
        },
    },
    Family {
        name: "dogpile_stored_entries",
        kind: Gauge,
        help: "Entries that a region's backend holds, expired ones included, if it says so.",
        labels: &["region"],
        read: |view, samples| each_storage(view, samples, |holds| holds.entries),
    },
    Family {
        name: "dogpile_stored_bytes",
        kind: Gauge,
        help: "What these entries weigh, if the backend says so.",
        labels: &["region"],
        read: |view, samples| each_storage(view, samples, |holds| holds.bytes),
    },
    Family {
        name: "dogpile_evictions_total",
        kind: Counter,
        help: "Entries that a region's backend removed to make room, if it says so.",
        labels: &["region"],
        read: |view, samples| each_storage(view, samples, |holds| holds.evictions),
    },
    Family {
        name: "dogpile_expirations_total",
        kind: Counter,
        help: "Entries that a region's backend removed because nobody could want them any more, if it says so.",
        labels: &["region"],
        read: |view, samples| each_storage(view, samples, |holds| holds.expirations),
    },
];
