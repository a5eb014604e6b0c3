//! The keys being created, and the passage of a caller through their creation.

use crate::circle::{Owner, WaitGraph};
use crate::error::LockError;
use crate::flight::Flight;
use crate::operation::{Operation, Outcome, Reading, Source};
use crate::sync::{self, Arc, Mutex};
use crate::table::Table;
use crate::turn::Turn;
use crate::waiters::Waiter;
use crate::waiting::{Waited, Waiting};
use std::fmt::{self, Debug, Formatter};
use std::time::Duration;
use tracing::debug;

const SHARDS: usize = if cfg!(feature = "model-check") { 2 } else { 64 };

/// The keys that are being created now, one creator each. Belongs to one store: who shares the store shares the table.
///
/// Keys are found by the hash that the caller gives, which must be the same for the same key, and compared as strings.
/// Nothing is kept of a key once its creation has ended. Blocked callers are parked threads; the end of a creation is
/// published once and wakes all of them, and none takes a lock again.
///
/// ```
/// use dogpile_lock::{Flights, Operation, Reading, Source, WaitGraph};
///
/// struct Load;
/// impl Operation for Load {
///     type Value = u32;
///     type Error = String;
///     fn read_again(&mut self) -> Result<Reading<u32>, String> { Ok(Reading::Missing) }
///     fn create(&mut self) -> Result<u32, String> { Ok(42) } // and store it
/// }
///
/// let flights = Flights::<u32, String>::new(WaitGraph::new());
/// let outcome = flights.get_or_create(7, "answer", Reading::Missing, &mut Load, None)?;
/// assert_eq!((outcome.value, outcome.source), (42, Source::Created));
/// # Ok::<(), dogpile_lock::LockError<String>>(())
/// ```
pub struct Flights<V, E> {
    shards: Box<[Shard<V, E>]>,
    graph: WaitGraph,
}

/// Apart in memory, so that locking one does not slow its neighbour.
#[repr(align(128))]
struct Shard<V, E>(Mutex<Table<V, E>>);

/// How a caller stands after it has met the table.
pub(crate) enum Entered<'a, V: Clone, E: Clone> {
    Turn(Turn<'a, V, E>),
    Waiting(Waiting<'a, V, E>),
    /// Another creates it, and this caller does not wait.
    Busy,
    Circle(Vec<String>),
}

impl<V: Clone, E: Clone> Flights<V, E> {
    /// An empty table. `graph` is shared by all tables whose creators may call one another.
    pub fn new(graph: WaitGraph) -> Self {
        let shards = (0..SHARDS).map(|_| Shard(Mutex::new(Table::new())));
        Self {
            shards: shards.collect(),
            graph,
        }
    }

    /// The passage of one caller. `first` is what its own first read gave.
    ///
    /// A fresh value is returned as it is. With a stale one this never blocks on others: the caller creates, or has
    /// the stale value back if another does. With none it blocks the thread until the creation under way ends, for
    /// `wait` at most (`None`: for as long as it takes), and gets its result; or it creates. Whoever creates has read
    /// again first.
    ///
    /// # Errors
    /// [`LockError::Creation`] if the creation failed, this caller's or the one it waited for;
    /// [`LockError::Circle`] instead of a wait that would never end; [`LockError::TimedOut`] after `wait`.
    ///
    /// # Panics
    /// With the operation's own panic only.
    pub fn get_or_create<O: Operation<Value = V, Error = E>>(
        &self,
        hash: u64,
        key: &str,
        first: Reading<V>,
        operation: &mut O,
        wait: Option<Duration>,
    ) -> Result<Outcome<V>, LockError<E>> {
        let stale = match first {
            Reading::Fresh(value) => {
                let source = Source::Fresh;
                return Ok(Outcome { value, source });
            }
            Reading::Stale(value) => Some(value),
            Reading::Missing => None,
        };
        match self.enter(hash, key, stale.is_none()) {
            Entered::Turn(turn) => take(turn, operation),
            Entered::Waiting(waiting) => match waiting.block(wait) {
                Waited::Ended(flight) => ending(&flight),
                Waited::Turn(turn) => take(turn, operation),
                Waited::TimedOut(wait) => Err(LockError::TimedOut(wait)),
            },
            Entered::Busy => {
                debug!(target: "dogpile.lock", key, "another creates the value, serving the stale one");
                let value = stale.expect("only who has a stale value does not wait");
                let source = Source::Stale;
                Ok(Outcome { value, source })
            }
            Entered::Circle(keys) => {
                debug!(target: "dogpile.lock", key, circle = ?keys, "waiting would close a circle");
                Err(LockError::Circle(keys))
            }
        }
    }

    /// Whether somebody in this process is creating the key at this moment.
    pub fn is_creating(&self, hash: u64, key: &str) -> bool {
        self.shard(hash).lock().find(hash, key).is_some()
    }

    /// How many callers are blocked at this moment until the key's creation ends.
    pub fn waiting(&self, hash: u64, key: &str) -> usize {
        let mut table = self.shard(hash).lock();
        table.find(hash, key).map_or(0, |entry| entry.waiters.len())
    }

    fn shard(&self, hash: u64) -> &Mutex<Table<V, E>> {
        // The table inside uses the lowest and the highest bits.
        let index = usize::try_from((hash >> 32) % SHARDS as u64).expect("less than SHARDS");
        &self.shards[index].0
    }

    pub(crate) fn enter(&self, hash: u64, key: &str, may_wait: bool) -> Entered<'_, V, E> {
        let owner = Owner::current();
        let mut table = self.shard(hash).lock();
        let Some(entry) = table.find(hash, key) else {
            let flight = Arc::new(Flight::new(hash, key));
            table.add(Arc::clone(&flight), owner);
            return Entered::Turn(Turn::new(self, flight));
        };
        if !may_wait {
            return Entered::Busy;
        }
        let flight = Arc::clone(&entry.flight);
        let noted = self
            .graph
            .wait(owner, &mut entry.place, flight.key(), entry.owner);
        if let Err(circle) = noted {
            return Entered::Circle(circle);
        }
        let waiter = Arc::new(Waiter::thread(owner));
        entry.waiters.push(Arc::clone(&waiter));
        Entered::Waiting(Waiting::new(self, flight, waiter))
    }

    /// False if the waiter was no longer on the list.
    pub(crate) fn leave(&self, flight: &Arc<Flight<V, E>>, waiter: &Arc<Waiter>) -> bool {
        let mut table = self.shard(flight.hash()).lock();
        let Some(entry) = table.entry(flight) else {
            return false;
        };
        let left = entry.waiters.remove(waiter);
        if let (true, Some(place)) = (left, entry.place) {
            self.graph.leave(waiter.owner(), place);
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
            self.graph.end(place, std::iter::empty());
        }
        true
    }

    /// Ends a flight whose ending is published.
    pub(crate) fn end(&self, flight: &Arc<Flight<V, E>>) {
        let mut table = self.shard(flight.hash()).lock();
        let Some(entry) = table.remove(flight) else {
            return;
        };
        if let Some(place) = entry.place {
            self.graph.end(place, entry.waiters.owners());
        }
        drop(table);
        entry.waiters.wake_all();
    }

    /// Gives the turn of who drops it to the first waiter, or ends the flight if there is none.
    pub(crate) fn hand_over(&self, flight: &Arc<Flight<V, E>>) {
        let mut table = self.shard(flight.hash()).lock();
        let Some(entry) = table.entry(flight) else {
            return;
        };
        if let Some(waiter) = entry.waiters.pop() {
            entry.owner = waiter.owner();
            if let Some(place) = entry.place {
                self.graph.hand_over(place, waiter.owner());
            }
            waiter.choose();
            drop(table);
            waiter.wake();
        } else {
            let entry = table.remove(flight);
            if let Some(place) = entry.and_then(|entry| entry.place) {
                self.graph.end(place, std::iter::empty());
            }
        }
    }
}

/// What the creation of another gave.
fn ending<V: Clone, E: Clone>(flight: &Flight<V, E>) -> Result<Outcome<V>, LockError<E>> {
    let ending = flight.ending().expect("waited for");
    let value = ending.clone().map_err(LockError::Creation)?;
    let source = Source::Waited;
    Ok(Outcome { value, source })
}

/// Uses the turn: reads again, creates if still needed, and ends the flight.
fn take<O: Operation>(
    turn: Turn<'_, O::Value, O::Error>,
    operation: &mut O,
) -> Result<Outcome<O::Value>, LockError<O::Error>>
where
    O::Value: Clone,
    O::Error: Clone,
{
    let key = turn.key();
    let made = sync::unwinding(|| match operation.read_again()? {
        Reading::Fresh(value) => {
            debug!(target: "dogpile.lock", key, "read again: a fresh value is there");
            Ok((value, Source::Fresh))
        }
        Reading::Stale(_) | Reading::Missing => {
            debug!(target: "dogpile.lock", key, "creating the value");
            Ok((operation.create()?, Source::Created))
        }
    });
    let made = match made {
        Ok(made) => made,
        Err(caught) => {
            drop(turn);
            caught.resume()
        }
    };
    turn.end(|| match &made {
        Ok((value, _)) => Ok(value.clone()),
        Err(error) => Err(O::Error::clone(error)),
    });
    made.map(|(value, source)| Outcome { value, source })
        .map_err(LockError::Creation)
}

impl<V, E> Debug for Flights<V, E> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let graph = &self.graph;
        f.debug_struct("Flights")
            .field("graph", graph)
            .finish_non_exhaustive()
    }
}

#[cfg(all(test, not(feature = "model-check")))]
pub(crate) mod tests {
    use super::*;

    pub(crate) struct Makes(pub(crate) u32);

    impl Operation for Makes {
        type Value = u32;
        type Error = u32;

        fn read_again(&mut self) -> Result<Reading<u32>, u32> {
            Ok(Reading::Missing)
        }

        fn create(&mut self) -> Result<u32, u32> {
            Ok(self.0)
        }
    }

    #[test]
    fn nothing_is_kept_of_a_key_whose_creation_has_ended() {
        let flights = Flights::<u32, u32>::new(WaitGraph::new());
        for hash in 0..1_000 {
            let key = format!("key {hash}");
            let outcome =
                flights.get_or_create(hash << 32, &key, Reading::Missing, &mut Makes(1), None);
            assert_eq!(outcome.unwrap().source, Source::Created);
        }
        assert!(flights.shards.iter().all(|shard| shard.0.lock().is_empty()));
    }
}
