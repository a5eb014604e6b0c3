//! The keys being created.

use crate::circle::WaitGraph;
use crate::failures::Failures;
use crate::flight::{Ending, Flight};
use crate::scope::{self, Owner};
use crate::sync::{Arc, Mutex};
use crate::table::Table;
use crate::turn::Turn;
use crate::waiters::{Given, Waiter};
use crate::waiting::Waiting;
use std::fmt::{self, Debug, Formatter};

const SHARDS: usize = if cfg!(feature = "model-check") { 2 } else { 64 };

/// The keys that are being created now, one creator each. Belongs to one store: who shares the store shares the table.
/// Clones are the same table.
///
/// Keys are found by the hash that the caller gives, which must be the same for the same key, and compared as strings.
/// Nothing is kept of a key once its creation has ended, but for a bounded number of failures. The end of a creation is
/// published once and wakes all who wait, threads and tasks alike, and none takes a lock of the table again.
///
/// ```
/// use dogpile_lock::{Flights, Operation, Reading, Request, Source, Storing, WaitGraph};
///
/// struct Load;
/// impl Operation for Load {
///     type Value = u32;
///     type Error = String;
///     type Lease = ();
///     async fn read_again(&mut self) -> Result<Reading<u32>, String> { Ok(Reading::Missing) }
///     async fn create(&mut self) -> Result<u32, String> { Ok(42) }
///     async fn store(&mut self, _: &u32, _: Storing<u32, String>, _: Option<&()>) -> Result<(), String> { Ok(()) }
/// }
///
/// let flights = Flights::<u32, String>::new(WaitGraph::new());
/// let outcome = flights.get_or_create(Request::new(7, "answer", Reading::Missing), &mut Load)?;
/// assert_eq!((outcome.value, outcome.source), (42, Source::Created));
/// # Ok::<(), dogpile_lock::LockError<String>>(())
/// ```
pub struct Flights<V, E, L = ()>(Arc<Shared<V, E, L>>);

struct Shared<V, E, L> {
    shards: Box<[Shard<V, E, L>]>,
    failures: Mutex<Failures>,
    graph: WaitGraph,
}

/// Apart in memory, so that locking one does not slow its neighbour.
#[repr(align(128))]
struct Shard<V, E, L>(Mutex<Table<V, E, L>>);

/// How a caller stands after it has met the table.
pub(crate) enum Entered<'f, V, E, L> {
    Turn(Turn<V, E, L>),
    Waiting(Waiting<'f, V, E, L>),
    /// Another creates it, and this caller does not wait.
    Busy,
    Circle(Vec<String>),
}

impl<V, E, L> Flights<V, E, L> {
    /// An empty table. `graph` is shared by all tables whose creators may call one another.
    pub fn new(graph: WaitGraph) -> Self {
        let shards = (0..SHARDS).map(|_| Shard(Mutex::new(Table::new())));
        Self(Arc::new(Shared {
            shards: shards.collect(),
            failures: Mutex::new(Failures::default()),
            graph,
        }))
    }

    /// Whether both are the same table.
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Whether somebody in this process is creating the key at this moment, or knows that another process is.
    pub fn is_creating(&self, hash: u64, key: &str) -> bool {
        self.shard(hash).lock().find(hash, key).is_some()
    }

    /// Whether somebody in this process is creating the key at this moment: as [`Flights::is_creating`], but for what another
    /// process is known to create.
    pub fn is_creating_here(&self, hash: u64, key: &str) -> bool {
        let mut table = self.shard(hash).lock();
        table.find(hash, key).is_some_and(|entry| !entry.elsewhere)
    }

    /// How many callers wait at this moment until the key's creation ends.
    pub fn waiting(&self, hash: u64, key: &str) -> usize {
        let mut table = self.shard(hash).lock();
        table.find(hash, key).map_or(0, |entry| entry.waiters.len())
    }

    /// The turn to create a key, if nobody has it.
    pub fn try_turn(&self, hash: u64, key: &str) -> Option<Turn<V, E, L>> {
        match self.enter(hash, key, false) {
            Entered::Turn(turn) => Some(turn),
            _ => None,
        }
    }

    /// The key is about to be deleted, or set to something else: what is being created under it goes to who waits already,
    /// value or error, but is not stored, and who comes later reads again, or has it created anew. Blocks while the value
    /// is being stored. Call it before the deletion itself.
    pub fn delete(&self, hash: u64, key: &str) {
        let mut table = self.shard(hash).lock();
        let flight = table.find(hash, key).map(|entry| Arc::clone(&entry.flight));
        drop(table);
        if let Some(flight) = flight {
            flight.delete();
        }
    }

    /// As [`Flights::delete`], of every key: call it before all that is stored is deleted.
    pub fn delete_all(&self) {
        for shard in &self.0.shards {
            let flights = shard.0.lock().flights();
            for flight in flights {
                flight.delete();
            }
        }
    }

    pub(crate) fn failures(&self) -> &Mutex<Failures> {
        &self.0.failures
    }

    fn shard(&self, hash: u64) -> &Mutex<Table<V, E, L>> {
        // The table inside uses the lowest and the highest bits.
        let index = usize::try_from((hash >> 32) % SHARDS as u64).expect("less than SHARDS");
        &self.0.shards[index].0
    }

    fn graph(&self) -> &WaitGraph {
        &self.0.graph
    }

    pub(crate) fn enter(&self, hash: u64, key: &str, may_wait: bool) -> Entered<'_, V, E, L> {
        let parent = scope::current();
        let mut table = self.shard(hash).lock();
        let Some(entry) = table.find(hash, key) else {
            let (flight, owner) = (Arc::new(Flight::new(hash, key)), Owner::new());
            let place = parent.map(|parent| self.graph().begin(parent, flight.key(), owner));
            table.add(Arc::clone(&flight), owner, place);
            return Entered::Turn(Turn::new(self.clone(), flight, owner, parent, None));
        };
        if !may_wait {
            return Entered::Busy;
        }
        let flight = Arc::clone(&entry.flight);
        if let Some(parent) = parent {
            let noted = self
                .graph()
                .wait(parent, &mut entry.place, flight.key(), entry.owner);
            if let Err(circle) = noted {
                return Entered::Circle(circle);
            }
        }
        let waiter = Arc::new(Waiter::new());
        entry.waiters.push(Arc::clone(&waiter));
        Entered::Waiting(Waiting::new(self, flight, waiter, parent))
    }

    /// False if the waiter was no longer on the list.
    pub(crate) fn leave(
        &self,
        flight: &Arc<Flight<V, E>>,
        waiter: &Arc<Waiter<L>>,
        parent: Option<Owner>,
    ) -> bool {
        let mut table = self.shard(flight.hash()).lock();
        let Some(entry) = table.entry(flight) else {
            return false;
        };
        let left = entry.waiters.remove(waiter);
        if let (true, Some(place), Some(parent)) = (left, entry.place, parent) {
            self.graph().leave(parent, place);
        }
        left
    }

    /// Ends a flight that nobody waits for. False, and nothing done, if somebody does.
    pub(crate) fn end_unawaited(&self, flight: &Arc<Flight<V, E>>) -> bool {
        let mut table = self.shard(flight.hash()).lock();
        let awaited = table
            .entry(flight)
            .is_some_and(|entry| !entry.waiters.is_empty());
        if awaited {
            return false;
        }
        let entry = table.remove(flight);
        if let Some(place) = entry.and_then(|entry| entry.place) {
            self.graph().end(place);
        }
        true
    }

    /// Ends a flight for all who wait. `deletions` had come before the creation began.
    pub(crate) fn end(&self, flight: &Arc<Flight<V, E>>, ending: Ending<V, E>, deletions: u64) {
        let mut table = self.shard(flight.hash()).lock();
        let Some(entry) = table.remove(flight) else {
            return;
        };
        if let Some(place) = entry.place {
            self.graph().end(place);
        }
        flight.publish(ending, deletions);
        drop(table);
        entry.waiters.wake_all();
    }

    /// The turn stays with who has it, as another creation; `parent` does not depend on it any more.
    pub(crate) fn change_owner(
        &self,
        flight: &Arc<Flight<V, E>>,
        owner: Owner,
        parent: Option<Owner>,
    ) {
        let mut table = self.shard(flight.hash()).lock();
        if let Some(entry) = table.entry(flight) {
            entry.owner = owner;
            if let Some(place) = entry.place {
                self.graph().hand_over(place, owner);
                if let Some(parent) = parent {
                    self.graph().leave(parent, place);
                }
            }
        }
    }

    /// Another process was found to create the key.
    pub(crate) fn mark_elsewhere(&self, flight: &Arc<Flight<V, E>>) {
        let mut table = self.shard(flight.hash()).lock();
        if let Some(entry) = table.entry(flight) {
            entry.elsewhere = true;
        }
    }

    /// Gives the turn of who drops it, and its lease, to the first waiter who is there; or ends the flight if there is
    /// none, and gives the lease back.
    pub(crate) fn hand_over(
        &self,
        flight: &Arc<Flight<V, E>>,
        parent: Option<Owner>,
        lease: Option<L>,
    ) -> Option<L> {
        let mut table = self.shard(flight.hash()).lock();
        let Some(entry) = table.entry(flight) else {
            return lease;
        };
        let owner = Owner::new();
        match entry.waiters.choose(Given { owner, lease }) {
            Ok(waiter) => {
                entry.owner = owner;
                entry.elsewhere = false;
                if let Some(place) = entry.place {
                    self.graph().hand_over(place, owner);
                    if let Some(parent) = parent {
                        self.graph().leave(parent, place);
                    }
                }
                drop(table);
                waiter.wake();
                None
            }
            Err(given) => {
                drop(table);
                self.end(flight, Ending::Abandoned, flight.deletions());
                given.lease
            }
        }
    }
}

impl<V, E, L> Clone for Flights<V, E, L> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<V, E, L> Debug for Flights<V, E, L> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Flights")
            .field("graph", self.graph())
            .finish_non_exhaustive()
    }
}

#[cfg(all(test, not(feature = "model-check")))]
pub(crate) mod tests {
    use super::*;
    use crate::{Operation, Reading, Request, Source, Storing};

    pub(crate) struct Makes(pub(crate) u32);

    impl Operation for Makes {
        type Value = u32;
        type Error = u32;
        type Lease = ();

        async fn read_again(&mut self) -> Result<Reading<u32>, u32> {
            Ok(Reading::Missing)
        }

        async fn create(&mut self) -> Result<u32, u32> {
            Ok(self.0)
        }

        async fn store(
            &mut self,
            _: &u32,
            _: Storing<u32, u32>,
            _: Option<&()>,
        ) -> Result<(), u32> {
            Ok(())
        }
    }

    #[test]
    fn nothing_is_kept_of_a_key_whose_creation_has_ended() {
        let flights = Flights::<u32, u32>::new(WaitGraph::new());
        for hash in 0..if cfg!(miri) { 50 } else { 1_000 } {
            let key = format!("key {hash}");
            let request = Request::new(hash << 32, &key, Reading::Missing);
            let outcome = flights.get_or_create(request, &mut Makes(1));
            assert_eq!(outcome.unwrap().source, Source::Created);
        }
        let mut shards = flights.0.shards.iter();
        assert!(shards.all(|shard| shard.0.lock().is_empty()));
    }
}
