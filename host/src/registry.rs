//! What all regions are at a moment: one immutable snapshot, replaced as a whole.

use std::collections::HashMap;
use std::num::NonZeroU64;
use std::ops::Deref;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use arc_swap::Guard;
use dogpile_lock::Expiry;
use parking_lot::{Mutex, MutexGuard};

use crate::instance::Instance;
use crate::jitter::shortened;
use crate::loader::OpenError;
use crate::mangler::Mangler;
use crate::manifest::{InvalidationScope, MaxStale, RegionConfig, TemplatesConfig};
use crate::plugins::PluginSet;
use crate::published::{Pin, Published};
use crate::serializer::Codec;
use crate::slot::Slot;
use crate::template_cache::TemplateCache;
use crate::{Error, ErrorKind, Result};

/// All regions, by the number of their slot. A reader takes one and finishes on it.
#[derive(Clone)]
pub(crate) struct Snapshot {
    pub(crate) generation: u64,
    pub(crate) plugins: PluginSet,
    pub(crate) timeouts: Timeouts,
    regions: Vec<Option<Configured>>,
    /// What decides of the program's templates, if anything does.
    pub(crate) templates: Option<Templates>,
}

/// An open template cache, and who configured it.
#[derive(Clone)]
pub(crate) struct Templates {
    pub(crate) cache: Arc<TemplateCache>,
    pub(crate) config: Arc<TemplatesConfig>,
    pub(crate) origin: Origin,
}

/// How long is waited for plugins.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Timeouts {
    /// For one to open.
    pub(crate) open: Duration,
    /// For the last calls of one that was replaced; none: for ever.
    pub(crate) drain: Option<Duration>,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            open: Duration::from_secs(10),
            drain: Some(Duration::from_secs(30)),
        }
    }
}

/// A region as configured.
#[derive(Clone)]
pub(crate) struct Configured {
    pub(crate) instance: Arc<Instance>,
    pub(crate) slot: Arc<Slot>,
    pub(crate) expiry: Expiry,
    /// The expiration time, as short as jitter can make it.
    pub(crate) surely_fresh: u64,
    pub(crate) config: Arc<RegionConfig>,
    pub(crate) manglers: Arc<[Mangler]>,
    /// Neither manglers nor a prefix: keys go to the backend as they are.
    pub(crate) plain_keys: bool,
    /// Plain keys, a `value_version` of 0, and calls that are made by their callers: of an object that is [plain](dogpile_plugin_api::Value::is_plain), times
    /// alone say whether it is fresh.
    plain: bool,
    pub(crate) origin: Origin,
}

/// Who configured a region, or the templates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    Code,
    Manifest,
}

impl Configured {
    pub(crate) fn new(
        config: Arc<RegionConfig>,
        slot: Arc<Slot>,
        instance: Arc<Instance>,
        manglers: Arc<[Mangler]>,
        origin: Origin,
    ) -> Self {
        let nanoseconds = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let expiration_time = config.expiration_time.map_or(u64::MAX, nanoseconds);
        let plain_keys = manglers.is_empty() && config.key_prefix.is_empty();
        Self {
            surely_fresh: shortened(expiration_time, config.jitter),
            expiry: Expiry {
                expiration_time,
                max_stale: match config.resolved_max_stale() {
                    MaxStale::For(limit) => nanoseconds(limit),
                    MaxStale::Forever => u64::MAX,
                },
                stale_if_error: nanoseconds(config.stale_if_error),
            },
            plain_keys,
            plain: plain_keys && config.value_version == 0 && config.call_timeout.is_none(),
            instance,
            slot,
            config,
            manglers,
            origin,
        }
    }

    /// The region's serializer.
    pub(crate) fn codec(&self) -> Codec {
        self.slot.codec(self.config.serializer)
    }

    /// Whether expiration times are shorter by chance.
    #[inline]
    pub(crate) fn has_jitter(&self) -> bool {
        self.surely_fresh != self.expiry.expiration_time
    }

    /// Whether other processes are told of its invalidations, and tell of theirs.
    pub(crate) fn shares_invalidations(&self) -> bool {
        match self.config.invalidation {
            Some(scope) => scope == InvalidationScope::Shared,
            None => self.instance.properties.shared,
        }
    }

    /// Whether entries of both lie under the same keys of one storage.
    fn has_the_keys_of(&self, other: &Self) -> bool {
        let (own, others) = (self.instance.base(), other.instance.base());
        own.properties.shared
            && own.serves(&others.recipe())
            && self.config.key_prefix == other.config.key_prefix
            && self.manglers.len() == other.manglers.len()
            && self
                .manglers
                .iter()
                .zip(&*other.manglers)
                .all(|(own, others)| own.is_same(others))
    }

    /// How long a failed creation is left alone by those who can be served a stale value, if any can.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        (self.expiry.stale_if_error > 0).then_some(self.config.retry_after)
    }
}

impl Snapshot {
    /// No regions yet.
    pub(crate) fn new(plugins: PluginSet) -> Self {
        Self {
            generation: 0,
            plugins,
            timeouts: Timeouts::default(),
            regions: Vec::new(),
            templates: None,
        }
    }

    #[inline]
    pub(crate) fn region(&self, slot: usize) -> Option<&Configured> {
        self.regions.get(slot)?.as_ref()
    }

    /// The region, if it is configured and [plain](Configured::plain).
    #[inline]
    pub(crate) fn plain_region(&self, slot: usize) -> Option<&Configured> {
        self.region(slot).filter(|region| region.plain)
    }

    pub(crate) fn regions(&self) -> impl Iterator<Item = &Configured> {
        self.regions.iter().flatten()
    }

    /// All instances: what regions call, and what that was opened around.
    pub(crate) fn instances(&self) -> impl Iterator<Item = &Arc<Instance>> {
        self.regions().flat_map(|region| region.instance.links())
    }

    /// The backends of regions that share their keys, under their proxies.
    pub(crate) fn shared_instances(&self) -> Vec<Arc<Instance>> {
        let sharing = self.regions().filter(|region| region.config.shares_keys);
        sharing
            .map(|region| Arc::clone(region.instance.base()))
            .collect()
    }

    /// Pairs of regions whose entries lie under the same keys of a storage that instances share, unless both say that
    /// they share them; in the order of their names.
    pub(crate) fn on_the_same_keys(&self) -> Vec<(&Configured, &Configured)> {
        let mut regions: Vec<&Configured> = self.regions().collect();
        regions.sort_by(|one, other| one.config.name.cmp(&other.config.name));
        let mut pairs = Vec::new();
        for (at, one) in regions.iter().enumerate() {
            let others = regions[at + 1..].iter();
            let found = others.filter(|other| {
                let meant = one.config.shares_keys && other.config.shares_keys;
                !meant && one.has_the_keys_of(other)
            });
            pairs.extend(found.map(|other| (*one, *other)));
        }
        pairs
    }

    /// The backends under the proxies, each once.
    pub(crate) fn bases(&self) -> Vec<Arc<Instance>> {
        let mut bases: Vec<Arc<Instance>> = Vec::new();
        for region in self.regions() {
            let base = region.instance.base();
            if !bases.iter().any(|known| Arc::ptr_eq(known, base)) {
                bases.push(Arc::clone(base));
            }
        }
        bases
    }

    /// Whether any region is served by `instance`, through proxies or not.
    pub(crate) fn uses(&self, instance: &Arc<Instance>) -> bool {
        self.instances().any(|own| Arc::ptr_eq(own, instance))
    }

    /// Whether the program's templates are decided of by `cache`.
    pub(crate) fn asks(&self, cache: &Arc<TemplateCache>) -> bool {
        let templates = self.templates.as_ref();
        templates.is_some_and(|templates| Arc::ptr_eq(&templates.cache, cache))
    }

    /// How often this snapshot alone holds an instance: for its regions, and for the proxies around it, which hold it
    /// twice.
    pub(crate) fn holders(&self, instance: &Arc<Instance>) -> usize {
        let is_it = |link: &Arc<Instance>| Arc::ptr_eq(link, instance);
        let around = |link: &&Arc<Instance>| link.inner.as_ref().is_some_and(is_it);
        let mut proxies: Vec<_> = self.instances().filter(around).map(Arc::as_ptr).collect();
        proxies.sort_unstable();
        proxies.dedup();
        self.callers(instance) + 2 * proxies.len()
    }

    /// How many regions call an instance without a proxy between; a copy of this snapshot holds it as often.
    pub(crate) fn callers(&self, instance: &Arc<Instance>) -> usize {
        let called = self.regions().map(|region| &region.instance);
        called.filter(|own| Arc::ptr_eq(own, instance)).count()
    }

    /// Puts a successor in the place of an instance, with new proxies around it where there were some, each opened
    /// within `timeout`. `known` is the instance with its successor; the proxies and theirs are added to it.
    pub(crate) fn succeed(
        &mut self,
        known: &mut Vec<(Arc<Instance>, Arc<Instance>)>,
        timeout: Duration,
    ) -> Result<(), OpenError> {
        for region in self.regions.iter_mut().flatten() {
            region.instance = renewed(&region.instance, known, timeout)?;
        }
        Ok(())
    }

    /// Gives each instance that regions call the shortest `call_timeout` of these.
    fn limit_calls(&self) {
        let mut limits: HashMap<_, (&Arc<Instance>, Option<Duration>)> = HashMap::new();
        for region in self.regions() {
            let address = Arc::as_ptr(&region.instance);
            let (_, limit) = limits.entry(address).or_insert((&region.instance, None));
            let both = [*limit, region.config.call_timeout];
            *limit = both.into_iter().flatten().min();
        }
        for (instance, limit) in limits.into_values() {
            instance.backend.set_call_timeout(limit);
        }
    }

    pub(crate) fn put(&mut self, region: Configured) {
        let slot = region.slot.number;
        if self.regions.len() <= slot {
            self.regions.resize_with(slot + 1, || None);
        }
        self.regions[slot] = Some(region);
    }
}

/// The successor of a link, if it or what it was opened around has one; otherwise itself. New proxies become known.
fn renewed(
    link: &Arc<Instance>,
    known: &mut Vec<(Arc<Instance>, Arc<Instance>)>,
    timeout: Duration,
) -> Result<Arc<Instance>, OpenError> {
    if let Some((_, successor)) = known.iter().find(|(old, _)| Arc::ptr_eq(old, link)) {
        return Ok(Arc::clone(successor));
    }
    let Some(inner) = &link.inner else {
        return Ok(Arc::clone(link));
    };
    let successor = renewed(inner, known, timeout)?;
    if Arc::ptr_eq(&successor, inner) {
        return Ok(Arc::clone(link));
    }
    let renewed = link.reopen(Some(&successor), timeout)?;
    known.push((Arc::clone(link), Arc::clone(&renewed)));
    Ok(renewed)
}

/// The current snapshot, and a slot for every region name ever used.
pub(crate) struct Registry {
    current: Published<Snapshot>,
    templates: OfTemplates,
    past: Arc<Past>,
    slots: Mutex<Slots>,
}

/// What each call of a template asks of the current template cache, to be had without the snapshot.
#[derive(Default)]
struct OfTemplates {
    /// Its number, if it ignores keys; else 0.
    decider: AtomicU64,
    observes: AtomicBool,
}

impl OfTemplates {
    fn set(&self, snapshot: &Snapshot) {
        let cache = snapshot
            .templates
            .as_ref()
            .map(|templates| &templates.cache);
        let decider = cache.filter(|cache| cache.ignores_keys());
        let number = decider.map_or(0, |cache| cache.number);
        self.decider.store(number, Ordering::Release);
        let observes = cache.is_some_and(|cache| cache.observes());
        self.observes.store(observes, Ordering::Relaxed);
    }
}

/// A slot's number never changes, so a handle finds its region by number in whatever snapshot is current.
#[derive(Default)]
pub(crate) struct Slots {
    by_name: HashMap<String, Arc<Slot>>,
    /// Every slot ever made, by number, so that all who ask for a name at once get the same one.
    reserved: Vec<Arc<Slot>>,
}

impl Slots {
    pub(crate) fn get(&self, name: &str) -> Option<Arc<Slot>> {
        self.by_name.get(name).cloned()
    }

    /// The slot of that name, or a new one, which nobody finds until it is added.
    pub(crate) fn get_or_reserve(&mut self, name: &str) -> Arc<Slot> {
        let reserved = || self.reserved.iter().find(|slot| slot.name == name);
        if let Some(slot) = self.by_name.get(name).or_else(reserved) {
            return Arc::clone(slot);
        }
        let slot = Arc::new(Slot::new(self.reserved.len(), name));
        self.reserved.push(Arc::clone(&slot));
        slot
    }

    pub(crate) fn add(&mut self, slot: &Arc<Slot>) {
        self.by_name.insert(slot.name.clone(), Arc::clone(slot));
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<Slot>> {
        self.by_name.values()
    }
}

impl Registry {
    pub(crate) fn new(first: Snapshot) -> Self {
        let templates = OfTemplates::default();
        templates.set(&first);
        Self {
            current: Published::new(first),
            templates,
            past: Arc::default(),
            slots: Mutex::default(),
        }
    }

    /// The current snapshot, for the length of one backend call.
    #[inline]
    pub(crate) fn load(&self) -> Guard<Arc<Snapshot>> {
        self.current.load()
    }

    /// The current snapshot and a stripe for counting, for the length of one backend call; not always to be had.
    #[inline]
    pub(crate) fn pin(&self) -> Option<Pin<'_, Snapshot>> {
        self.current.pin()
    }

    /// The current snapshot, for longer.
    pub(crate) fn load_full(&self) -> Arc<Snapshot> {
        self.current.load_full()
    }

    /// The slots, for who adds handles or changes regions: one at a time.
    pub(crate) fn slots(&self) -> MutexGuard<'_, Slots> {
        self.slots.lock()
    }

    /// Replaces the snapshot and adds the slots of its regions; gives the old one. Under the slots' lock nobody takes
    /// a new handle meanwhile; changes as a whole are kept apart by the host.
    pub(crate) fn replace(&self, slots: &mut Slots, mut next: Snapshot) -> Arc<Snapshot> {
        next.generation = self.current.load().generation + 1;
        for region in next.regions() {
            slots.add(&region.slot);
        }
        self.amend(next)
    }

    /// Puts a snapshot of the same regions in the place of the current one: the generation stays. Gives the old one.
    /// Changes are kept apart by the host.
    pub(crate) fn amend(&self, next: Snapshot) -> Arc<Snapshot> {
        next.limit_calls();
        let old = self.current.replace(next);
        // After it: whoever has read this number asks that template cache, or a later one.
        self.templates.set(&self.current.load());
        self.past.add(&old);
        old
    }

    /// See [`Templates::decider`](crate::Templates::decider).
    pub(crate) fn decider(&self) -> Option<NonZeroU64> {
        NonZeroU64::new(self.templates.decider.load(Ordering::Acquire))
    }

    /// Whether the current template cache is to be told of outcomes.
    pub(crate) fn observes(&self) -> bool {
        self.templates.observes.load(Ordering::Relaxed)
    }

    pub(crate) fn past(&self) -> &Arc<Past> {
        &self.past
    }
}

/// The snapshots that were replaced and that a call may hold yet.
#[derive(Default)]
pub(crate) struct Past(Mutex<Vec<Weak<Snapshot>>>);

impl Past {
    fn add(&self, snapshot: &Arc<Snapshot>) {
        let mut past = self.0.lock();
        past.retain(|snapshot| snapshot.strong_count() > 0);
        past.push(Arc::downgrade(snapshot));
    }

    /// How many calls are under way that began with one that is `so`. Not counted is who holds a mutex of a backend.
    pub(crate) fn calls_with(&self, so: impl Fn(&Snapshot) -> bool) -> usize {
        let past = self.0.lock().clone();
        let held = past.iter().filter_map(Weak::upgrade);
        held.filter(|past| so(past))
            .map(|past| Arc::strong_count(&past) - 1)
            .sum()
    }
}

/// A region as it is configured now, kept for as long as a call of its backend may take.
pub(crate) struct Current {
    snapshot: Arc<Snapshot>,
    slot: usize,
}

impl Deref for Current {
    type Target = Configured;

    fn deref(&self) -> &Configured {
        self.snapshot
            .region(self.slot)
            .expect("it is there, or this would not be")
    }
}

impl Registry {
    /// The region, or [`not_configured`].
    pub(crate) fn current(&self, slot: &Slot) -> Result<Current> {
        let snapshot = self.load_full();
        configured(&snapshot, slot)?;
        let slot = slot.number;
        Ok(Current { snapshot, slot })
    }
}

/// The error of a region that is not configured.
#[cold]
pub(crate) fn not_configured(name: &str) -> Error {
    Error::new(
        ErrorKind::RegionNotConfigured,
        format!(
            "region `{name}` is not configured yet; configure it in code or list it in the manifest"
        ),
    )
}

/// The region, or [`not_configured`].
#[inline]
pub(crate) fn configured<'a>(snapshot: &'a Snapshot, slot: &Slot) -> Result<&'a Configured> {
    snapshot
        .region(slot.number)
        .ok_or_else(|| not_configured(&slot.name))
}
