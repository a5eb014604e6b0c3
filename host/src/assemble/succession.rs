//! Which open instances the regions that are to come have a use for, and what becomes of the others.

use std::cell::RefCell;
use std::sync::{Arc, Weak};

use super::{Assembly, Refusals};
use crate::instance::{Arguments, Instance, Recipe};
use crate::loader::OpenError;
use crate::manifest::RegionConfig;
use crate::registry::{Configured, Origin, Snapshot};
use crate::slot::Slot;

/// What is done with an instance whose regions ask for another one.
#[derive(Default)]
pub(crate) enum Succession<'a> {
    /// Nothing: a new one is opened beside it.
    #[default]
    Beside,
    /// A copy of it, opened beside it, is asked to take on the new arguments.
    Tried,
    /// It is asked to take them on itself, and closed before its successor opens if it must be.
    Done(&'a dyn Change),
}

/// Changes instances that are in use.
pub(crate) trait Change {
    /// Asks an instance to take on other arguments; false if it wants to be opened anew.
    fn reconfigure(&self, instance: &Arc<Instance>, recipe: &Recipe<'_>)
    -> Result<bool, OpenError>;

    /// Closes an instance after its last call.
    fn close(&self, instance: &Arc<Instance>) -> Result<(), Refusals>;

    /// Takes note of an instance that was opened in the place of one that was closed.
    fn opened(&self, instance: &Arc<Instance>);
}

/// The instances in use that nobody asks for as they are. They are held by what is in force alone.
#[derive(Default)]
pub(crate) struct Outgoing {
    /// All regions of each ask for the same other arguments, which it may take on.
    adaptable: Vec<Adaptable>,
    /// To be closed before another one of their backend is opened.
    exclusive: Vec<Weak<Instance>>,
    /// The slots of the regions that come last, since they change what is in use.
    pub(crate) late: Vec<usize>,
    /// Those that have taken on other arguments, each with the one that was asked: itself, or its copy.
    reconfigured: RefCell<Vec<(Weak<Instance>, Weak<Instance>)>>,
    /// Copies that were opened to be asked.
    pub(crate) copies: RefCell<Vec<Arc<Instance>>>,
}

struct Adaptable {
    instance: Weak<Instance>,
    arguments: Arc<Arguments>,
    shared: bool,
}

/// A region that is to come, with what its backend is opened from.
struct Wanted<'a> {
    config: &'a RegionConfig,
    slot: &'a Slot,
    recipe: Recipe<'a>,
    /// The backend that the region has now.
    current: Option<Arc<Instance>>,
}

impl Wanted<'_> {
    fn has(&self, instance: &Arc<Instance>) -> bool {
        self.current
            .as_ref()
            .is_some_and(|current| Arc::ptr_eq(current, instance))
    }
}

impl Outgoing {
    /// Of the regions that are to come.
    pub(crate) fn of<'a>(
        assembly: &'a Assembly<'_>,
        regions: impl Iterator<Item = (&'a RegionConfig, &'a Arc<Slot>)>,
    ) -> Self {
        let current = assembly.current;
        let wanted: Vec<Wanted<'_>> = regions
            .filter_map(|(config, slot)| {
                let recipe = assembly.recipe(config).ok()?;
                let current = current.region(slot.number);
                let current = current.map(|region| Arc::clone(region.instance.base()));
                Some(Wanted {
                    config,
                    slot,
                    recipe,
                    current,
                })
            })
            .collect();
        let mut outgoing = Self::default();
        for instance in current.bases() {
            outgoing.add(current, &instance, &wanted);
        }
        outgoing
    }

    fn add(&mut self, current: &Snapshot, instance: &Arc<Instance>, wanted: &[Wanted<'_>]) {
        let of_it = |region: &&Configured| Arc::ptr_eq(region.instance.base(), instance);
        let shared = current
            .regions()
            .filter(of_it)
            .any(|region| region.config.shares_keys);
        let in_code = current
            .regions()
            .filter(of_it)
            .any(|region| region.origin == Origin::Code);
        let joins = |region: &Wanted<'_>| region.config.shares_keys == shared;
        let is_wanted = |region: &&Wanted<'_>| {
            joins(region) && (shared || region.has(instance)) && instance.serves(&region.recipe)
        };
        if in_code || wanted.iter().find(is_wanted).is_some() {
            return;
        }
        let own: Vec<_> = wanted
            .iter()
            .filter(|region| region.has(instance))
            .collect();
        let adapts = |region: &&Wanted<'_>| {
            joins(region)
                && instance.is_of(&region.recipe)
                && region.recipe.arguments == own[0].recipe.arguments
        };
        let is_well = !instance.backend.health().is_retired();
        let adaptable = is_well && !own.is_empty() && own.iter().copied().all(|one| adapts(&one));
        if adaptable {
            let like_it = wanted
                .iter()
                .filter(|one| one.has(instance) || (shared && adapts(one)));
            self.late.extend(like_it.map(|region| region.slot.number));
            self.adaptable.push(Adaptable {
                instance: Arc::downgrade(instance),
                arguments: Arc::clone(&own[0].recipe.arguments),
                shared,
            });
        }
        if instance.properties.exclusive {
            self.exclusive.push(Arc::downgrade(instance));
            let succeeds = |region: &&Wanted<'_>| {
                is_backend_of(instance, &region.recipe)
                    && !region
                        .current
                        .as_ref()
                        .is_some_and(|own| own.serves(&region.recipe))
            };
            let successors = wanted.iter().filter(succeeds);
            self.late
                .extend(successors.map(|region| region.slot.number));
        }
    }

    /// The instance that may take on what a region asks for: its own, or one that regions share.
    pub(super) fn adaptable(
        &self,
        own: Option<&Arc<Instance>>,
        shares_keys: bool,
        recipe: &Recipe<'_>,
    ) -> Option<Arc<Instance>> {
        let found = self.adaptable.iter().find_map(|adaptable| {
            let instance = adaptable.instance.upgrade()?;
            let is_own = own.is_some_and(|own| Arc::ptr_eq(own, &instance));
            let is_ours = is_own || (shares_keys && adaptable.shared);
            let fits = is_ours && instance.is_of(recipe) && adaptable.arguments == recipe.arguments;
            fits.then_some(instance)
        });
        found.filter(|instance| !instance.backend.health().is_retired())
    }

    /// Those that must be closed before an instance of that recipe opens.
    pub(super) fn in_the_way(&self, recipe: &Recipe<'_>) -> Vec<Arc<Instance>> {
        let open = self.exclusive.iter().filter_map(Weak::upgrade);
        open.filter(|instance| is_backend_of(instance, recipe))
            .collect()
    }

    pub(super) fn note_reconfigured(&self, instance: &Arc<Instance>, asked: &Arc<Instance>) {
        let both = (Arc::downgrade(instance), Arc::downgrade(asked));
        self.reconfigured.borrow_mut().push(both);
    }

    /// Whether an instance, or what it is a copy of, has taken on other arguments.
    pub(crate) fn is_reconfigured(&self, instance: &Arc<Instance>) -> bool {
        let reconfigured = self.reconfigured.borrow();
        reconfigured.iter().any(|(_, asked)| is(asked, instance))
    }

    /// Whether an instance in use has taken on other arguments, or its copy has.
    pub(crate) fn adapts(&self, instance: &Arc<Instance>) -> bool {
        let reconfigured = self.reconfigured.borrow();
        reconfigured.iter().any(|(own, _)| is(own, instance))
    }

    /// Those of which one alone can be open, and that nobody asks for as they are.
    pub(crate) fn exclusive(&self) -> Vec<Arc<Instance>> {
        self.exclusive.iter().filter_map(Weak::upgrade).collect()
    }

    /// Whether an open instance goes, as it is.
    pub(crate) fn has(&self, instance: &Arc<Instance>) -> bool {
        let adaptable = self.adaptable.iter().map(|one| &one.instance);
        let mut all = adaptable.chain(&self.exclusive);
        all.any(|one| is(one, instance))
    }
}

fn is(one: &Weak<Instance>, instance: &Arc<Instance>) -> bool {
    std::ptr::eq(one.as_ptr(), Arc::as_ptr(instance))
}

/// Whether it is of the same backend, of whatever version of its plugin.
fn is_backend_of(instance: &Instance, recipe: &Recipe<'_>) -> bool {
    instance.plugin.name == recipe.plugin.name && instance.name == recipe.name
}
