//! From a manifest to the next snapshot.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::MutexGuard;

use super::entries::Fates;
use super::late::{Late, Undone};
use super::load::load;
use super::outcome::Reload;
use super::plan::{Sketch, plan};
use super::reaper::{discard, retire};
use super::templates::template_change;
use crate::ErrorKind;
use crate::assemble::{Assembly, Outgoing, Refusals, Refused, Succession};
use crate::engine::Engine;
use crate::instance::Instance;
use crate::manifest::{Manifest, ManifestError, ManifestErrors, RegionConfig};
use crate::plugins::PluginSet;
use crate::records::{FirstRead, first_read};
use crate::registry::{Configured, Origin, Slots, Snapshot, Templates, Timeouts};
use crate::slot::Slot;

/// As long as a duration may be in a manifest.
const FOR_EVER: Duration = Duration::from_hours(100 * 366 * 24);

/// Why a manifest was refused.
pub(super) struct Refusal {
    pub(super) errors: ManifestErrors,
    /// What had been changed in place already, and was put back.
    pub(super) undone: Vec<Undone>,
    /// Whether another try may come to something else, and does not touch what is in use before it is known to.
    pub(super) may_pass: bool,
}

/// Before anything in use was touched.
impl From<ManifestErrors> for Refusal {
    fn from(errors: ManifestErrors) -> Self {
        Self {
            may_pass: errors.may_pass(),
            errors,
            undone: Vec::new(),
        }
    }
}

/// Loads, opens and checks everything aside, changes in place what must be last, and replaces the snapshot once; or
/// changes nothing. All errors are found, not the first. The caller holds the host's change lock.
pub(super) fn apply(
    engine: &Engine,
    manifest: &Manifest,
    is_reload: bool,
) -> Result<Reload, Refusal> {
    // A copy of one's own: who holds what is in force has a call under way.
    let current = Snapshot::clone(&engine.registry.load());
    let mut errors = Vec::new();
    let plugins = load(engine, manifest, &current, &mut errors);
    let late = Late::new(engine, &current, timeouts(manifest));
    let mut opening = Opening::new(engine, manifest, &plugins, &current, is_reload, errors);
    let opened = opening.aside()?;
    let mut fates = Fates::default();
    for instance in opening.assembly.outgoing.exclusive() {
        fates.ask(&instance);
    }
    opening.assembly.succession = Succession::Done(&late);
    let finished = opening.finish(opened).map(|(next, first, slots)| {
        for adapted in late.adapted() {
            fates.note(&adapted);
        }
        let reload = opening.told(&next, &mut fates);
        (next, first, slots, reload)
    });
    drop(opening);
    let (next, first, mut slots, mut reload) = match finished {
        Ok(finished) => finished,
        Err(errors) => {
            let undone = late.undo();
            return Err(Refusal {
                errors,
                undone,
                // At each try, what is in use would be closed or changed, and put back.
                may_pass: false,
            });
        }
    };
    late.stays();
    if current.generation > 0 && is_same(&current, &next) {
        return Ok(reload);
    }
    first.take_in(engine.clock);
    let old = engine.registry.replace(&mut slots, next);
    drop(slots);
    reload.generation = old.generation + 1;
    reload.changed = true;
    retire(engine, old);
    Ok(reload)
}

/// What [`apply`] would change: everything up to the swap is done, and undone. What is in use is not touched: copies of
/// instances are asked whether they would take on other arguments, and those of which one alone can be open are left
/// out. The caller holds the host's change lock.
pub(super) fn planned(engine: &Engine, manifest: &Manifest) -> Result<Reload, ManifestErrors> {
    let current = Snapshot::clone(&engine.registry.load());
    let mut errors = Vec::new();
    let plugins = load(engine, manifest, &current, &mut errors);
    let mut opening = Opening::new(engine, manifest, &plugins, &current, true, errors);
    let mut opened = opening.aside()?;
    let late = opening.late();
    let tried = opening.rehearse(&late);
    let is_all = tried.len() == late.len();
    opened.regions.extend(tried);
    let (next, _first, slots) = opening.checked(opened)?;
    drop(slots);
    let mut reload = opening.told(&next, &mut Fates::default());
    reload.planned = true;
    reload.changed = !is_all || !is_same(&current, &next);
    discard(next);
    Ok(reload)
}

/// How one manifest is opened.
struct Opening<'a, 'e> {
    engine: &'e Engine,
    manifest: &'a Manifest,
    assembly: Assembly<'a>,
    /// The regions of the manifest that are not configured in code.
    listed: Vec<Listed<'a>>,
    /// Without its plugin a region's error would be a consequence, not a cause.
    all_loaded: bool,
    errors: Vec<ManifestError>,
}

/// What is open for a manifest that is not in force.
struct Opened {
    regions: Vec<Configured>,
    templates: Option<Templates>,
}

/// Everything opened and checked. The slots are held until it is in force, so that no region is held meanwhile which it
/// leaves out.
type Checked<'a> = (Snapshot, FirstRead, MutexGuard<'a, Slots>);

/// A region of the manifest.
type Listed<'a> = (&'a RegionConfig, Arc<Slot>);

impl<'a, 'e: 'a> Opening<'a, 'e> {
    fn new(
        engine: &'e Engine,
        manifest: &'a Manifest,
        plugins: &'a PluginSet,
        current: &'a Snapshot,
        is_reload: bool,
        errors: Vec<ManifestError>,
    ) -> Self {
        let assembly = Assembly {
            plugins,
            current,
            engine,
            open_timeout: timeouts(manifest).open,
            origin: Origin::Manifest,
            is_reload,
            shared: RefCell::default(),
            succession: Succession::Beside,
            outgoing: Outgoing::default(),
        };
        let mut slots = engine.registry.slots();
        let regions = manifest.regions().iter();
        let mut listed: Vec<Listed<'_>> = regions
            .map(|(name, config)| (config, slots.get_or_reserve(name)))
            .collect();
        drop(slots);
        listed.retain(|(_, slot)| !is_in_code(current, slot));
        let wanted = listed.iter().map(|(config, slot)| (*config, slot));
        let outgoing = Outgoing::of(&assembly, wanted);
        let mut shared = current.shared_instances();
        shared.retain(|instance| !outgoing.has(instance));
        let mut opening = Self {
            engine,
            manifest,
            assembly: Assembly {
                shared: RefCell::new(shared),
                outgoing,
                ..assembly
            },
            listed,
            all_loaded: errors.is_empty(),
            errors,
        };
        opening.errors.extend(code_twice(manifest, current));
        opening
    }

    /// Those that change what is in use.
    fn late(&self) -> Vec<Listed<'a>> {
        let late = &self.assembly.outgoing.late;
        let listed = self.listed.iter();
        listed
            .filter(|(_, slot)| late.contains(&slot.number))
            .cloned()
            .collect()
    }

    /// Opens all that can be opened beside what is in use.
    fn aside(&mut self) -> Result<Opened, ManifestErrors> {
        let late = self.late();
        let mut beside = self.listed.clone();
        beside.retain(|(_, slot)| !late.iter().any(|(_, other)| other.number == slot.number));
        let mut regions: Vec<_> = beside.iter().filter_map(|one| self.open(one)).collect();
        let templates = self.templates();
        let (current, slots) = (self.assembly.current, self.engine.registry.slots());
        self.errors.extend(held(self.manifest, current, &slots));
        drop(slots);
        if !self.errors.is_empty() {
            // What is wrong with the others is told too.
            regions.extend(self.rehearse(&late));
        }
        let opened = Opened { regions, templates };
        let next = self.next(&opened);
        self.errors.extend(on_the_same_keys(self.manifest, &next));
        drop(next);
        self.refuse(opened)
    }

    fn open(&mut self, (config, slot): &Listed<'_>) -> Option<Configured> {
        let region = self.assembly.region(&Arc::new((*config).clone()), slot);
        region
            .map_err(|refusals| {
                let place = ["regions", &config.name];
                let refused = refused(self.manifest, &place, refusals, self.all_loaded);
                self.errors.extend(refused);
            })
            .ok()
    }

    /// Opens regions as far as that changes nothing that is in use.
    fn rehearse(&mut self, late: &[Listed<'_>]) -> Vec<Configured> {
        let succession = std::mem::replace(&mut self.assembly.succession, Succession::Tried);
        let mut regions = Vec::new();
        for one in late {
            if !self.assembly.must_close_first(one.0) {
                regions.extend(self.open(one));
            }
        }
        self.assembly.succession = succession;
        regions
    }

    /// Opens the rest, changing what is in use, until something is wrong.
    fn finish(&mut self, mut opened: Opened) -> Result<Checked<'e>, ManifestErrors> {
        let late = self.late();
        for (at, one) in late.iter().enumerate() {
            opened.regions.extend(self.open(one));
            if !self.errors.is_empty() {
                // What is wrong with the others is told too.
                let others = self.rehearse(&late[at + 1..]);
                opened.regions.extend(others);
                break;
            }
        }
        self.checked(opened)
    }

    /// The next snapshot, if nothing is wrong with it.
    fn checked(&mut self, opened: Opened) -> Result<Checked<'e>, ManifestErrors> {
        let next = self.next(&opened);
        if self.errors.is_empty() {
            self.errors.extend(on_the_same_keys(self.manifest, &next));
        }
        let (opened, next) = self.refuse((opened, next))?;
        let current = self.assembly.current;
        let first = first_read(current, &next, next.timeouts.open);
        let slots = self.engine.registry.slots();
        self.errors.extend(held(self.manifest, current, &slots));
        self.errors
            .extend(keeps_objects(self.manifest, current, &next));
        let (_held_by_next, next) = self.refuse((opened, next))?;
        Ok((next, first, slots))
    }

    fn next(&self, opened: &Opened) -> Snapshot {
        let mut next = Snapshot::new(self.assembly.plugins.clone());
        next.timeouts = timeouts(self.manifest);
        next.templates.clone_from(&opened.templates);
        let current = self.assembly.current;
        next.generation = current.generation;
        let in_code = current
            .regions()
            .filter(|region| region.origin == Origin::Code);
        for region in in_code.chain(&opened.regions) {
            next.put(region.clone());
        }
        next
    }

    /// Gives back what is open, unless something is wrong.
    fn refuse<T: Send + 'static>(&mut self, opened: T) -> Result<T, ManifestErrors> {
        match self.manifest.refuse(std::mem::take(&mut self.errors)) {
            Some(errors) => {
                discard(opened);
                Err(errors)
            }
            None => Ok(opened),
        }
    }

    /// What becomes of everything.
    fn told(&self, next: &Snapshot, fates: &mut Fates) -> Reload {
        let current = self.assembly.current;
        let new: Vec<_> = self
            .listed
            .iter()
            .map(|one| self.sketch(one, next))
            .collect();
        let mut changes = plan(&in_force(current), &new);
        let outgoing = &self.assembly.outgoing;
        let stays = |instance: &_| next.uses(instance) || outgoing.adapts(instance);
        let lost = fates.tell(&mut changes, current, stays);
        let mut reload = Reload::unchanged(current.generation, changes);
        reload.entries_lost = lost;
        reload.warn(without_effect(self.manifest, next));
        reload.templates = template_change(current.templates.as_ref(), next.templates.as_ref());
        reload
    }

    fn sketch<'s>(&'s self, (config, slot): &Listed<'s>, next: &Snapshot) -> Sketch<'s> {
        let plugins = self.assembly.plugins;
        let proxies = config.proxies.iter();
        let region = next.region(slot.number);
        let outgoing = &self.assembly.outgoing;
        Sketch {
            config,
            code: plugins
                .backend(&config.backend)
                .map_or("", |one| one.code()),
            proxies: proxies
                .map(|proxy| plugins.proxy(&proxy.name).map_or("", |(one, _)| one.code()))
                .collect(),
            reconfigured: region
                .is_some_and(|region| outgoing.is_reconfigured(region.instance.base())),
        }
    }

    /// The templates' cache: that of the program, or what the manifest says.
    fn templates(&mut self) -> Option<Templates> {
        let in_code = self.assembly.current.templates.as_ref();
        let in_code = in_code.filter(|templates| templates.origin == Origin::Code);
        let (Some(config), None) = (self.manifest.templates(), in_code) else {
            if self.manifest.templates().is_some() {
                self.errors.push(self.manifest.error_at_key(
                    &["templates"],
                    "the templates are configured in the program's code",
                    "configure them once: here, or in code",
                ));
            }
            return in_code.cloned();
        };
        let opened = self.assembly.templates(&Arc::new(config.clone()));
        opened
            .map_err(|refusals| {
                let place = ["templates"];
                let refused = refused(self.manifest, &place, refusals, self.all_loaded);
                self.errors.extend(refused);
            })
            .ok()
    }
}

/// What was opened to be asked is closed off everybody's way.
impl Drop for Opening<'_, '_> {
    fn drop(&mut self) {
        let copies = self.assembly.outgoing.copies.take();
        if !copies.is_empty() {
            discard(copies);
        }
    }
}

pub(super) fn timeouts(manifest: &Manifest) -> Timeouts {
    Timeouts {
        open: manifest.host().open_timeout.unwrap_or(FOR_EVER),
        drain: manifest.host().drain_timeout,
    }
}

/// Whether nothing would be gained by the new one: the same timeouts, the same plugins, and the same regions on the same
/// instances.
fn is_same(current: &Snapshot, next: &Snapshot) -> bool {
    let same = |old: &Configured| {
        next.region(old.slot.number).is_some_and(|new| {
            old.config == new.config && Arc::ptr_eq(&old.instance, &new.instance)
        })
    };
    let same_templates = match (&current.templates, &next.templates) {
        (Some(old), Some(new)) => Arc::ptr_eq(&old.cache, &new.cache) && old.config == new.config,
        (old, new) => old.is_none() && new.is_none(),
    };
    same_templates
        && current.timeouts == next.timeouts
        && current.plugins.is_same(&next.plugins)
        && current.regions().count() == next.regions().count()
        && current.regions().all(same)
}

/// Refusals of what stands at a place of the manifest. Where a plugin did not load, that something is not offered is a
/// consequence.
fn refused<'a>(
    manifest: &'a Manifest,
    place: &'a [&'a str],
    refusals: Refusals,
    all_loaded: bool,
) -> impl Iterator<Item = ManifestError> + 'a {
    let refused = refusals.0.into_iter();
    refused
        .filter(move |one| all_loaded || one.kind != ErrorKind::PluginNotFound)
        .map(move |one| refused_at(manifest, place, one))
}

pub(super) fn refused_at(manifest: &Manifest, place: &[&str], refused: Refused) -> ManifestError {
    let mut path = place.to_vec();
    path.extend(refused.place.iter().map(String::as_str));
    let error = if refused.about_key {
        manifest.error_at_key(&path, refused.message, refused.remedy)
    } else {
        manifest.error_at(&path, refused.message, refused.remedy)
    };
    let error = match refused.code {
        Some(code) => error.with_code(code),
        None => error,
    };
    if refused.outside {
        error.of_outside()
    } else {
        error
    }
}

fn is_in_code(current: &Snapshot, slot: &Slot) -> bool {
    let region = current.region(slot.number);
    region.is_some_and(|region| region.origin == Origin::Code)
}

fn code_twice<'a>(
    manifest: &'a Manifest,
    current: &'a Snapshot,
) -> impl Iterator<Item = ManifestError> + 'a {
    let in_code = current
        .regions()
        .filter(|region| region.origin == Origin::Code);
    in_code.filter_map(|region| {
        let name = &region.config.name;
        manifest.regions().contains_key(name).then(|| {
            manifest.error_at_key(
                &["regions", name],
                format!("region `{name}` is configured in the program's code"),
                "configure it once: here, or in code",
            )
        })
    })
}

/// Regions of the manifest that would use the same keys as others, of the manifest or of the program.
fn on_the_same_keys<'a>(
    manifest: &'a Manifest,
    next: &'a Snapshot,
) -> impl Iterator<Item = ManifestError> + 'a {
    next.refuse_same_keys().filter_map(|(pair, refused)| {
        let mut pair = pair.into_iter();
        let listed = pair.rfind(|region| region.origin == Origin::Manifest)?;
        let place = ["regions", &listed.config.name];
        Some(refused_at(manifest, &place, refused))
    })
}

/// Each `hang_after` that is shorter than a call may take by what the backend itself says.
fn without_effect<'a>(
    manifest: &'a Manifest,
    next: &'a Snapshot,
) -> impl Iterator<Item = ManifestError> + 'a {
    next.regions().filter_map(|region| {
        let place = ["regions", &region.config.name, "hang_after"];
        let said = region.config.hang_after.filter(|_| manifest.says(&place))?;
        let links = region.instance.links();
        let (least, whose) = links.map(|link| (link.least_hang_after(), link)).max_by_key(|(least, _)| *least)?;
        (said < least).then(|| {
            let whose = whose.title();
            manifest.warning_at(
                &place,
                format!("`hang_after` has no effect below {least:?}: {whose} itself gives a call a second less than that"),
                format!("write \"{least:?}\" or more, or leave it out; shorter times are for the backend's own arguments"),
            )
        })
    })
}

/// Regions that the manifest leaves out, and the program holds.
fn held<'a>(
    manifest: &'a Manifest,
    current: &'a Snapshot,
    slots: &'a Slots,
) -> impl Iterator<Item = ManifestError> + 'a {
    let is_gone = |region: &&Configured| {
        region.origin == Origin::Manifest && !manifest.regions().contains_key(&region.config.name)
    };
    current.regions().filter(is_gone).filter_map(|region| {
        let name = &region.config.name;
        slots.get(name)?.is_held().then(|| {
            manifest.error_at(
                &["regions"],
                format!(
                    "region `{name}` is not listed any more, but the program holds handles to it"
                ),
                format!("put [regions.{name}] back; it can go when the program that uses it does"),
            )
        })
    })
}

/// Regions that began to keep objects while their new backend was opened.
fn keeps_objects<'a>(
    manifest: &'a Manifest,
    current: &'a Snapshot,
    next: &'a Snapshot,
) -> impl Iterator<Item = ManifestError> + 'a {
    next.regions().filter_map(|region| {
        let refused = region.refuse_objects(current.region(region.slot.number))?;
        let place = ["regions", &region.config.name];
        Some(refused_at(manifest, &place, refused))
    })
}

/// The regions of the manifest that is in force.
fn in_force(snapshot: &Snapshot) -> Vec<Sketch<'_>> {
    let listed = snapshot
        .regions()
        .filter(|region| region.origin == Origin::Manifest);
    listed.map(sketch).collect()
}

fn proxies(region: &Configured) -> impl Iterator<Item = &Arc<Instance>> {
    let links = region.instance.links();
    links.filter(|link| link.inner.is_some())
}

fn sketch(region: &Configured) -> Sketch<'_> {
    Sketch {
        config: &region.config,
        code: region.instance.base().plugin.code(),
        proxies: proxies(region).map(|link| link.plugin.code()).collect(),
        reconfigured: false,
    }
}
