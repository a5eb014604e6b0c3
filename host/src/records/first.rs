//! The first reading of a record: before a region answers calls from a storage that is new to it.

use std::collections::HashMap;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use dogpile_lock::Clock;

use super::read;
use crate::registry::{Configured, Snapshot};
use crate::slot::{Marks, Slot};

/// What was read, to be taken in when the regions are swapped.
#[must_use = "it changes nothing until it is taken in"]
pub(crate) struct FirstRead(Vec<(Arc<Slot>, Marks)>);

/// Reads the records of the regions in `next` whose storage is another than in `current`, on a thread of its own, and
/// waits for that up to `timeout`. A record that cannot be read is left to the poll, and reported.
pub(crate) fn first_read(current: &Snapshot, next: &Snapshot, timeout: Duration) -> FirstRead {
    let new = next.regions().filter(|new| {
        let stays = |old: &Configured| {
            old.shares_invalidations()
                && Arc::ptr_eq(&old.instance, &new.instance)
                && old.config.key_prefix == new.config.key_prefix
        };
        new.shares_invalidations() && !current.region(new.slot.number).is_some_and(stays)
    });
    let new: Vec<Configured> = new.cloned().collect();
    let mut waiting: HashMap<usize, Arc<Slot>> = new
        .iter()
        .map(|region| (region.slot.number, Arc::clone(&region.slot)))
        .collect();
    let mut found = Vec::new();
    if new.is_empty() {
        return FirstRead(found);
    }
    let (send, answers) = mpsc::channel();
    let run = move || {
        for region in new {
            // Nobody listens any more: no call of the backend that nobody waits for.
            if send.send((region.slot.number, read(&region))).is_err() {
                return;
            }
        }
    };
    let spawned = thread::Builder::new()
        .name("dogpile-records".to_owned())
        .spawn(run);
    if let Err(error) = spawned {
        tracing::error!(target: "dogpile.cache", %error, "no thread to read the records of invalidations on");
    }
    let deadline = Instant::now().checked_add(timeout);
    let next = || match deadline {
        Some(deadline) => answers
            .recv_timeout(deadline.saturating_duration_since(Instant::now()))
            .ok(),
        None => answers.recv().ok(),
    };
    while let Some((number, answer)) = next() {
        let Some(slot) = waiting.remove(&number) else {
            continue;
        };
        match answer {
            Ok(Some(marks)) => found.push((slot, marks)),
            Ok(None) => not_read(&slot, "something else lies in its place"),
            Err(error) => not_read(&slot, &error.to_string()),
        }
    }
    for slot in waiting.values() {
        not_read(slot, "it took too long");
    }
    FirstRead(found)
}

fn not_read(slot: &Slot, error: &str) {
    tracing::warn!(
        target: "dogpile.cache",
        region = slot.name, error,
        "its record of invalidations was not read: until it is, values that other processes have outdated are served"
    );
}

impl FirstRead {
    pub(crate) fn take_in(self, clock: &Clock) {
        for (slot, marks) in self.0 {
            // What the storage lacks is written by the poll, which looks at once.
            slot.invalidations.absorb(clock, &marks);
        }
    }
}
