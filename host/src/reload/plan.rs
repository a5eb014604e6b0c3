//! What a new manifest changes: a pure comparison, which does nothing.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::manifest::RegionConfig;

/// What becomes of one region.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// The region.
    pub region: String,
    /// What becomes of it.
    pub kind: ChangeKind,
    /// Which keys of its configuration differ, and `plugin` if its plugin's code does.
    pub because: Vec<String>,
    /// What becomes of its entries.
    #[serde(default)]
    pub entries: EntriesFate,
}

/// What becomes of the entries that a region had.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum EntriesFate {
    /// Its instance stays, with all that is in it; or the region is new.
    #[default]
    Kept,
    /// So many are lost with its instance, as that counted them shortly before; or the instance stays, and has no room for
    /// them any more.
    Lost(u64),
    /// Those in its instance are lost, which does not say how many they are.
    LostUncounted,
    /// Those stay for which there is room by the new arguments: how many only the change itself tells.
    IfRoom,
    /// None is lost: they are in a storage that other processes see too. Whether the region sees them is another matter.
    Stay,
}

/// What becomes of a region, and of what it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ChangeKind {
    /// It is new.
    Added,
    /// It goes, with what its backend holds in this process.
    Removed,
    /// It gets a new instance of a backend: what the old one holds in this process is lost.
    Swapped,
    /// It keeps its instance, which has taken on other arguments, and of what is in it what these leave room for.
    Reconfigured,
    /// It keeps its instance and what is in it, under new terms.
    Changed,
    /// It stays as it is.
    Kept,
}

impl ChangeKind {
    /// What is done, or would be.
    pub(super) fn verb(self, planned: bool) -> &'static str {
        let (would, did) = match self {
            Self::Added => ("would add", "added"),
            Self::Removed => ("would remove", "removed"),
            Self::Swapped => ("would swap", "swapped"),
            Self::Reconfigured => ("would reconfigure", "reconfigured"),
            Self::Changed => ("would change", "changed"),
            Self::Kept => ("would keep", "kept"),
        };
        if planned { would } else { did }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f, false)
    }
}

impl Change {
    /// In the words of what may come.
    pub(super) fn planned(&self) -> impl fmt::Display + '_ {
        struct Planned<'a>(&'a Change);
        impl fmt::Display for Planned<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.write(f, true)
            }
        }
        Planned(self)
    }

    fn write(&self, f: &mut fmt::Formatter<'_>, planned: bool) -> fmt::Result {
        let word = self.kind.verb(planned);
        write!(f, "{word} region `{}`", self.region)?;
        if !self.because.is_empty() {
            write!(f, " ({})", self.because.join(", "))?;
        }
        let (keeps, is, are, stay) = if planned {
            ("keeping", "would be", "would be", "would stay")
        } else {
            ("keeps", "is", "are", "stay")
        };
        let lost = |f: &mut fmt::Formatter<'_>, entries| match entries {
            1 => write!(f, ", 1 entry {is} lost"),
            entries => write!(f, ", {entries} entries {are} lost"),
        };
        match (self.kind, self.entries) {
            (ChangeKind::Added | ChangeKind::Kept, _) => Ok(()),
            (ChangeKind::Changed, _) => write!(f, ", {keeps} its instance and entries"),
            (ChangeKind::Reconfigured, EntriesFate::Lost(entries)) => {
                write!(f, ", {keeps} its instance")?;
                lost(f, entries)
            }
            (ChangeKind::Reconfigured, _) | (_, EntriesFate::IfRoom) => {
                write!(
                    f,
                    ", {keeps} its instance and the entries that still have room"
                )
            }
            (ChangeKind::Removed | ChangeKind::Swapped, EntriesFate::Kept) => {
                f.write_str(", its instance stays with other regions")
            }
            (_, EntriesFate::Lost(entries)) => lost(f, entries),
            (_, EntriesFate::LostUncounted) => {
                write!(f, ", what its old instance holds in this process {is} lost")
            }
            (_, EntriesFate::Stay) => write!(f, ", its entries {stay} in the storage"),
        }
    }
}

/// A region as far as the plan looks at it.
#[derive(Clone)]
pub(crate) struct Sketch<'a> {
    pub(crate) config: &'a RegionConfig,
    /// The code of the plugin that serves it: a file's digest, or a name.
    pub(crate) code: &'a str,
    /// That of its proxies' plugins, the outermost first.
    pub(crate) proxies: Vec<&'a str>,
    /// Whether its backend has taken on other arguments, or would.
    pub(crate) reconfigured: bool,
}

/// Compares two generations, both in the order of their names.
pub(crate) fn plan(current: &[Sketch<'_>], next: &[Sketch<'_>]) -> Vec<Change> {
    let mut changes = Vec::new();
    for new in next {
        let old = current
            .iter()
            .find(|old| old.config.name == new.config.name);
        changes.push(match old {
            Some(old) => compared(old, new),
            None => change(new, ChangeKind::Added, Vec::new()),
        });
    }
    for old in current {
        if !next.iter().any(|new| new.config.name == old.config.name) {
            changes.push(change(old, ChangeKind::Removed, Vec::new()));
        }
    }
    changes
}

fn change(region: &Sketch<'_>, kind: ChangeKind, because: Vec<String>) -> Change {
    Change {
        region: region.config.name.clone(),
        kind,
        because,
        entries: EntriesFate::Kept,
    }
}

fn compared(old: &Sketch<'_>, new: &Sketch<'_>) -> Change {
    let mut because = Vec::new();
    if old.code != new.code {
        because.push("plugin".to_owned());
    }
    if old.config.backend.name != new.config.backend.name {
        because.push("backend".to_owned());
    }
    // The names, not the values, which may be secrets.
    let arguments = old.config.differing_arguments(new.config);
    because.extend(arguments.iter().map(|name| format!("arguments.{name}")));
    // Its instance is shared with other regions from now on, or no more.
    if old.config.shares_keys != new.config.shares_keys {
        because.push("shares_keys".to_owned());
    }
    if !because.is_empty() && !new.reconfigured {
        return change(new, ChangeKind::Swapped, because);
    }
    let (a, b) = (old.config, new.config);
    for (key, differs) in [
        ("expiration_time", a.expiration_time != b.expiration_time),
        (
            "max_stale",
            a.resolved_max_stale() != b.resolved_max_stale(),
        ),
        ("key_prefix", a.key_prefix != b.key_prefix),
        ("key_mangler", a.key_mangler != b.key_mangler),
        (
            "proxies",
            a.proxies != b.proxies || old.proxies != new.proxies,
        ),
        ("serializer", a.serializer != b.serializer),
        ("value_version", a.value_version != b.value_version),
        ("replace_foreign", a.replace_foreign != b.replace_foreign),
        ("on_backend_error", a.on_backend_error != b.on_backend_error),
        ("stale_if_error", a.stale_if_error != b.stale_if_error),
        ("retry_after", a.retry_after != b.retry_after),
        (
            "background_refresh",
            a.background_refresh != b.background_refresh,
        ),
        ("early_refresh", a.early_refresh != b.early_refresh),
        ("jitter", a.jitter.to_bits() != b.jitter.to_bits()),
        ("lock_wait", a.lock_wait != b.lock_wait),
        ("invalidation", a.invalidation != b.invalidation),
        (
            "invalidation_interval",
            a.invalidation_interval != b.invalidation_interval,
        ),
        ("lock_timeout", a.lock_timeout != b.lock_timeout),
        ("bypass_hold", a.bypass_hold != b.bypass_hold),
        ("hang_after", a.hang_after != b.hang_after),
        ("call_timeout", a.call_timeout != b.call_timeout),
        ("require_healthy", a.require_healthy != b.require_healthy),
    ] {
        if differs {
            because.push(key.to_owned());
        }
    }
    let kind = if new.reconfigured {
        ChangeKind::Reconfigured
    } else if because.is_empty() {
        ChangeKind::Kept
    } else {
        ChangeKind::Changed
    };
    change(new, kind, because)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn kinds(
        old: &[&RegionConfig],
        new: &[(&RegionConfig, &str)],
    ) -> Vec<(String, ChangeKind, Vec<String>)> {
        let old: Vec<_> = old
            .iter()
            .map(|config| Sketch {
                config,
                code: "1",
                proxies: Vec::new(),
                reconfigured: false,
            })
            .collect();
        let new: Vec<_> = new
            .iter()
            .map(|(config, code)| Sketch {
                config,
                code,
                proxies: Vec::new(),
                reconfigured: false,
            })
            .collect();
        plan(&old, &new)
            .into_iter()
            .map(|change| (change.region, change.kind, change.because))
            .collect()
    }

    #[test]
    fn each_region_is_added_removed_swapped_changed_or_kept() {
        let base = |name: &str| RegionConfig::on(name, "memory").argument("max_entries", 10);
        let (kept, gone) = (base("kept"), base("gone"));
        let (timed, resized, rebuilt) = (base("timed"), base("resized"), base("rebuilt"));
        let timed_new = timed.clone().expiration_time(Duration::from_secs(1));
        let resized_new = resized
            .clone()
            .argument("max_entries", 11)
            .argument("max_bytes", 5);
        let new = base("new");
        let changes = kinds(
            &[&kept, &gone, &timed, &resized, &rebuilt],
            &[
                (&kept, "1"),
                (&timed_new, "1"),
                (&resized_new, "1"),
                (&rebuilt, "2"),
                (&new, "1"),
            ],
        );
        let because = |words: &[&str]| {
            words
                .iter()
                .map(|word| (*word).to_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(
            changes,
            [
                ("kept".into(), ChangeKind::Kept, because(&[])),
                (
                    "timed".into(),
                    ChangeKind::Changed,
                    because(&["expiration_time", "max_stale"])
                ),
                (
                    "resized".into(),
                    ChangeKind::Swapped,
                    because(&["arguments.max_bytes", "arguments.max_entries"])
                ),
                ("rebuilt".into(), ChangeKind::Swapped, because(&["plugin"])),
                ("new".into(), ChangeKind::Added, because(&[])),
                ("gone".into(), ChangeKind::Removed, because(&[])),
            ]
        );
    }

    #[test]
    fn a_change_tells_what_becomes_of_the_instance_and_its_entries() {
        use ChangeKind::{Added, Changed, Kept, Reconfigured, Removed, Swapped};
        use EntriesFate::{IfRoom, Kept as Stays, Lost, LostUncounted, Stay};
        for (kind, entries, applied, planned) in [
            (Added, Stays, "", ""),
            (Kept, Stays, "", ""),
            (
                Changed,
                Stays,
                ", keeps its instance and entries",
                ", keeping its instance and entries",
            ),
            (
                Reconfigured,
                Stays,
                ", keeps its instance and the entries that still have room",
                ", keeping its instance and the entries that still have room",
            ),
            (
                Reconfigured,
                IfRoom,
                ", keeps its instance and the entries that still have room",
                ", keeping its instance and the entries that still have room",
            ),
            (
                Reconfigured,
                Lost(1),
                ", keeps its instance, 1 entry is lost",
                ", keeping its instance, 1 entry would be lost",
            ),
            (
                Removed,
                Lost(2),
                ", 2 entries are lost",
                ", 2 entries would be lost",
            ),
            (
                Swapped,
                LostUncounted,
                ", what its old instance holds in this process is lost",
                ", what its old instance holds in this process would be lost",
            ),
            (
                Swapped,
                Stay,
                ", its entries stay in the storage",
                ", its entries would stay in the storage",
            ),
            (
                Removed,
                Stays,
                ", its instance stays with other regions",
                ", its instance stays with other regions",
            ),
        ] {
            let change = Change {
                region: "r".to_owned(),
                kind,
                because: Vec::new(),
                entries,
            };
            let told = |planned| format!("{} region `r`", kind.verb(planned));
            assert_eq!(change.to_string(), told(false) + applied);
            assert_eq!(change.planned().to_string(), told(true) + planned);
        }
    }

    #[test]
    fn a_plan_never_shows_values() {
        let old = RegionConfig::on("r", "redis").argument("password", "canary-old");
        let new = old.clone().argument("password", "canary-new");
        let changes = plan(
            &[Sketch {
                config: &old,
                code: "1",
                proxies: Vec::new(),
                reconfigured: false,
            }],
            &[Sketch {
                config: &new,
                code: "1",
                proxies: Vec::new(),
                reconfigured: false,
            }],
        );
        assert!(!format!("{} {changes:?}", changes[0]).contains("canary"));
    }
}
