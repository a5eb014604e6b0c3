//! Changes of instances that are in use: one takes on other arguments, or is closed before its successor opens. They
//! come last, when all else is opened and checked, and are undone when one of them fails.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;
use std::{fmt, thread};

use super::entries::own_entries;
use super::last_call::LastCall;
use super::reaper::{discard, retire};
use crate::ErrorKind;
use crate::assemble::{Change, Refusals, Refused};
use crate::blame;
use crate::engine::Engine;
use crate::instance::{Arguments, Instance, Recipe};
use crate::loader::{self, OpenError};
use crate::registry::{Snapshot, Timeouts};

/// What has been changed so far. The caller holds the host's change lock.
pub(super) struct Late<'e> {
    engine: &'e Engine,
    /// The caller's own copy of what is in force, which holds instances as that does.
    copy: &'e Snapshot,
    timeouts: Timeouts,
    done: RefCell<Vec<Done>>,
}

enum Done {
    Reconfigured(Adapted),
    Closed(Arc<Instance>),
    Opened(Arc<Instance>),
}

/// An instance that has taken on other arguments.
#[derive(Clone)]
pub(super) struct Adapted {
    pub(super) instance: Arc<Instance>,
    before: Arc<Arguments>,
    /// How many of its entries it had no room for any more, if it counts them.
    pub(super) lost: Option<u64>,
}

/// What became of a change that was undone, for people; as before, or not.
#[derive(Clone, Debug)]
pub(super) struct Undone {
    text: String,
    pub(super) is_as_before: bool,
}

impl fmt::Display for Undone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl<'e> Late<'e> {
    pub(super) fn new(engine: &'e Engine, copy: &'e Snapshot, timeouts: Timeouts) -> Self {
        Self {
            engine,
            copy,
            timeouts,
            done: RefCell::default(),
        }
    }

    /// Those that have taken on other arguments.
    pub(super) fn adapted(&self) -> Vec<Adapted> {
        let done = self.done.borrow();
        let adapted = done.iter().filter_map(|one| match one {
            Done::Reconfigured(adapted) => Some(adapted.clone()),
            Done::Closed(_) | Done::Opened(_) => None,
        });
        adapted.collect()
    }

    /// Nothing is undone.
    pub(super) fn stays(&self) {
        let done = self.done.take();
        if !done.is_empty() {
            discard(done);
        }
    }

    /// Puts everything back as it was, the last change first. What was opened meanwhile is closed before.
    pub(super) fn undo(&self) -> Vec<Undone> {
        let done = self.done.take();
        for one in &done {
            if let Done::Opened(instance) = one {
                self.close_again(instance);
            }
        }
        let mut undone = Vec::new();
        for one in done.into_iter().rev() {
            undone.extend(match one {
                Done::Reconfigured(adapted) => Some(self.put_back(&adapted)),
                Done::Closed(instance) => Some(self.reopen(&instance)),
                Done::Opened(instance) => {
                    discard(instance);
                    None
                }
            });
        }
        undone
    }

    fn close_again(&self, instance: &Arc<Instance>) {
        let closed = Arc::clone(instance);
        let close = move || closed.backend.close();
        if let Err(error) = loader::within(self.timeouts.open, &instance.name, close, drop) {
            blame::not_closed(&instance.title(), &error);
        }
    }

    fn put_back(&self, adapted: &Adapted) -> Undone {
        let Adapted {
            instance,
            before,
            lost,
        } = adapted;
        let whose = self.whose(instance);
        let why = match instance.reconfigure(before, self.timeouts.open) {
            Ok(true) => {
                let again = format!("{whose} has its old arguments again, and its entries");
                return match lost.unwrap_or_default() {
                    0 => as_before(again),
                    lost => otherwise(format!(
                        "{again} but for {lost}, for which there was no room meanwhile"
                    )),
                };
            }
            Ok(false) => String::from("it wants to be opened anew"),
            Err(error) => error.to_string(),
        };
        instance.reopen_with(before);
        instance.gave_up("did not take its old arguments back");
        otherwise(format!(
            "{whose} does not take its old arguments back: {why}; it is reopened with them, and what it held in this \
             process is lost"
        ))
    }

    fn reopen(&self, instance: &Arc<Instance>) -> Undone {
        let whose = self.whose(instance);
        match self.reopened(instance) {
            Ok(()) => as_before(format!("{whose} was reopened with its old arguments")),
            Err(error) => {
                let mended = self.engine.mender.mend(instance);
                let then = match mended {
                    Ok(()) => String::from(
                        "that is tried again until it does, and no call is made meanwhile",
                    ),
                    Err(error) => format!("there is no thread to try it again on: {error}"),
                };
                otherwise(format!(
                    "{whose} was closed, and does not open with its old arguments: {error}; {then}"
                ))
            }
        }
    }

    fn reopened(&self, instance: &Arc<Instance>) -> Result<(), OpenError> {
        let successor = instance.reopen(None, self.timeouts.open)?;
        let mut known = vec![(Arc::clone(instance), successor)];
        let mut next = Snapshot::clone(&self.engine.registry.load());
        let succeeded = next.succeed(&mut known, self.timeouts.open);
        if let Err(error) = succeeded {
            // Of an exclusive backend, the next one opens only when this one is closed.
            self.close_again(&known[0].1);
            return Err(error);
        }
        let old = self.engine.registry.amend(next);
        retire(self.engine, old);
        Ok(())
    }

    /// The instance, with the regions that it serves.
    fn whose(&self, instance: &Arc<Instance>) -> String {
        let snapshot = self.engine.registry.load();
        let served = snapshot
            .regions()
            .filter(|region| Arc::ptr_eq(region.instance.base(), instance));
        let mut names: Vec<_> = served
            .map(|region| format!("`{}`", region.config.name))
            .collect();
        names.sort_unstable();
        let plural = if names.len() == 1 { "" } else { "s" };
        format!(
            "backend `{}` of region{plural} {}",
            instance.name,
            names.join(", ")
        )
    }
}

fn as_before(text: String) -> Undone {
    Undone {
        text,
        is_as_before: true,
    }
}

fn otherwise(text: String) -> Undone {
    Undone {
        text,
        is_as_before: false,
    }
}

impl Change for Late<'_> {
    fn reconfigure(
        &self,
        instance: &Arc<Instance>,
        recipe: &Recipe<'_>,
    ) -> Result<bool, OpenError> {
        let before = instance.recipe().arguments;
        let had = own_entries(instance);
        let adapted = instance.reconfigure(&recipe.arguments, self.timeouts.open)?;
        if adapted {
            let has = had.and_then(|_| own_entries(instance));
            let lost = had.zip(has).map(|(had, has)| had.saturating_sub(has));
            let instance = Arc::clone(instance);
            self.done.borrow_mut().push(Done::Reconfigured(Adapted {
                instance,
                before,
                lost,
            }));
        }
        Ok(adapted)
    }

    fn close(&self, instance: &Arc<Instance>) -> Result<(), Refusals> {
        if instance.backend.health().is_closed() {
            return Ok(());
        }
        instance.backend.health().close();
        let last_call = LastCall::begin(self.engine, instance, 1 + self.copy.callers(instance));
        let pause = |pause: Duration| {
            thread::sleep(pause);
            false
        };
        if !last_call.finish(self.timeouts.drain, pause) {
            instance.backend.health().stay_open();
            let timeout = self.timeouts.drain.unwrap_or_default();
            let calls = self
                .engine
                .registry
                .past()
                .calls_with(|past| past.uses(instance));
            return Err(Refused::new(
                ErrorKind::Plugin,
                &["backend"],
                format!(
                    "{} must be closed before another one opens, and {calls} calls of it have not ended within {timeout:?}",
                    instance.title()
                ),
                "save the manifest again when they have ended, or raise [host] drain_timeout".to_owned(),
            )
            .into());
        }
        self.done
            .borrow_mut()
            .push(Done::Closed(Arc::clone(instance)));
        Ok(())
    }

    fn opened(&self, instance: &Arc<Instance>) {
        self.done
            .borrow_mut()
            .push(Done::Opened(Arc::clone(instance)));
    }
}
