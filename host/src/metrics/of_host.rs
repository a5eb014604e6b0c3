//! The metrics of a host.

use std::sync::atomic::Ordering;
use std::time::UNIX_EPOCH;

use dogpile_plugin_api::{API_VERSION, RUSTC_VERSION};

use super::family::Family;
use super::family::Kind::{Counter, Gauge};
use crate::reload::{ChangeKind, ReloadOutcome};

pub(super) const FAMILIES: &[Family] = &[
    Family {
        name: "dogpile_build_info",
        kind: Gauge,
        help: "The version of dogpile and of its plugin interface, and the compiler: always 1.",
        labels: &["version", "plugin_api", "rustc"],
        read: |_, samples| {
            samples.add(
                &[env!("CARGO_PKG_VERSION"), API_VERSION, RUSTC_VERSION],
                1_u64,
            );
        },
    },
    Family {
        name: "dogpile_generation",
        kind: Gauge,
        help: "The generation that is in force, counted up with every change that was applied.",
        labels: &[],
        read: |view, samples| samples.add(&[], view.status.generation),
    },
    Family {
        name: "dogpile_unconfigured_calls_total",
        kind: Counter,
        help: "Calls that ended with an error because their region is declared, but not configured.",
        labels: &[],
        read: |view, samples| {
            let calls = &view.inner.engine.unconfigured_calls;
            samples.add(&[], calls.load(Ordering::Relaxed));
        },
    },
    Family {
        name: "dogpile_reloads_total",
        kind: Counter,
        help: "Reloads of the manifest, by outcome.",
        labels: &["outcome"],
        read: |view, samples| {
            if view.status.manifest.is_some() {
                let reloads = view.status.reloads;
                samples.add(&["applied"], reloads.applied);
                samples.add(&["unchanged"], reloads.unchanged);
                samples.add(&["refused"], reloads.refused);
            }
        },
    },
    Family {
        name: "dogpile_config_info",
        kind: Gauge,
        help: "The SHA-256 over everything that the manifest in force was made of: always 1.",
        labels: &["hash"],
        read: |view, samples| {
            if let Some(hash) = &view.status.manifest_hash {
                samples.add(&[hash], 1_u64);
            }
        },
    },
    Family {
        name: "dogpile_config_last_reload_successful",
        kind: Gauge,
        help: "1 if the newest manifest is in force; 0 if it was refused, and the last good one stays.",
        labels: &[],
        read: |view, samples| {
            if let Some(last) = &view.status.last_reload {
                samples.add(&[], u64::from(last.outcome != ReloadOutcome::Refused));
            }
        },
    },
    Family {
        name: "dogpile_config_last_reload_success_timestamp_seconds",
        kind: Gauge,
        help: "When the manifest was last read and right, in seconds since 1970.",
        labels: &[],
        read: |view, samples| {
            if let Some(time) = view.succeeded {
                let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
                samples.add(&[], since.as_secs_f64());
            }
        },
    },
    Family {
        name: "dogpile_config_last_reload_duration_seconds",
        kind: Gauge,
        help: "How long the newest reload, or the start, took to read, open and swap.",
        labels: &[],
        read: |view, samples| {
            if let Some(last) = &view.status.last_reload {
                samples.add(&[], last.seconds);
            }
        },
    },
    Family {
        name: "dogpile_config_last_reload_changes",
        kind: Gauge,
        help: "What became of the regions by the newest reload, or at the start; none if it was refused.",
        labels: &["kind"],
        read: |view, samples| {
            let last = view.status.last_reload.as_ref();
            let Some(plan) = last.and_then(|last| last.plan.as_ref()) else {
                return;
            };
            for (name, kind) in [
                ("added", ChangeKind::Added),
                ("removed", ChangeKind::Removed),
                ("swapped", ChangeKind::Swapped),
                ("reconfigured", ChangeKind::Reconfigured),
                ("changed", ChangeKind::Changed),
                ("kept", ChangeKind::Kept),
            ] {
                let count = plan.changes.iter().filter(|one| one.kind == kind).count();
                samples.add(&[name], count);
            }
        },
    },
    Family {
        name: "dogpile_config_last_reload_lost_entries",
        kind: Gauge,
        help: "Entries that were lost with the backends that the newest reload replaced or removed.",
        labels: &[],
        read: |view, samples| {
            let last = view.status.last_reload.as_ref();
            if let Some(plan) = last.and_then(|last| last.plan.as_ref()) {
                samples.add(&[], plan.entries_lost);
            }
        },
    },
    Family {
        name: "dogpile_plugin_info",
        kind: Gauge,
        help: "The version of a plugin, and whether it was loaded from a file or is linked in: always 1.",
        labels: &["plugin", "version", "state"],
        read: |view, samples| {
            for plugin in &view.status.plugins {
                samples.add(&[&plugin.name, &plugin.version, &plugin.state], 1_u64);
            }
        },
    },
    Family {
        name: "dogpile_plugin_generation",
        kind: Gauge,
        help: "The number of a plugin's image in the process: a changed file is another. 0 if it is linked in.",
        labels: &["plugin"],
        read: |view, samples| {
            for plugin in &view.status.plugins {
                samples.add(&[&plugin.name], plugin.generation);
            }
        },
    },
    Family {
        name: "dogpile_loaded_images",
        kind: Gauge,
        help: "Images of plugins that the process has mapped; they stay.",
        labels: &[],
        read: |view, samples| samples.add(&[], view.status.loaded_images),
    },
    Family {
        name: "dogpile_leaked_images",
        kind: Gauge,
        help: "Those that this host loaded and none of its plugins uses any more.",
        labels: &[],
        read: |view, samples| samples.add(&[], view.status.leaked_images),
    },
    Family {
        name: "dogpile_leaked_bytes",
        kind: Gauge,
        help: "About how much memory these take: the size of their files.",
        labels: &[],
        read: |view, samples| samples.add(&[], view.status.leaked_bytes),
    },
    Family {
        name: "dogpile_draining_instances",
        kind: Gauge,
        help: "Backends and proxies that were replaced and are not closed yet, by state; stuck: for longer than drain_timeout.",
        labels: &["state"],
        read: |view, samples| {
            for state in ["draining", "stuck", "closing"] {
                let draining = view.status.draining.iter();
                let count = draining.filter(|one| one.state == state).count();
                samples.add(&[state], count);
            }
        },
    },
    Family {
        name: "dogpile_template_cache_state",
        kind: Gauge,
        help: "The state of the template cache, if there is one: 1 for the one in which it is, else 0.",
        labels: &["template_cache", "state"],
        read: |view, samples| {
            if let Some(templates) = &view.status.templates {
                let states = ["open", "retired"];
                samples.add_states(&[&templates.name], &states, &templates.state);
            }
        },
    },
];
