//! Who waits for whom, so that a wait which would never end is refused.

use crate::sync::{Arc, Mutex, thread_number};
use std::collections::HashMap;
use std::fmt::{self, Debug, Formatter};

/// Who can hold a turn and wait for one: a thread. A task will have numbers of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Owner(u64);

impl Owner {
    pub(crate) fn current() -> Self {
        Self(thread_number())
    }
}

/// A flight that somebody waits for, or did. Numbers are never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Place(u64);

/// The waits between all callers of the [`Flights`](crate::Flights) that share it. Clones are the same graph; give one
/// to every table whose creators may call each other, since a circle can run through several.
///
/// It is touched only by callers about to block, and by the end of a creation that somebody waited for.
#[derive(Clone)]
pub struct WaitGraph(Arc<Mutex<Graph>>);

/// Each owner waits for at most one place, each place has one owner, and the two together never make a circle.
#[derive(Default)]
struct Graph {
    made: u64,
    places: HashMap<Place, Held>,
    waits: HashMap<Owner, Place>,
}

struct Held {
    key: Arc<str>,
    owner: Owner,
}

impl WaitGraph {
    /// A graph without waits.
    pub fn new() -> Self {
        Self(Arc::new(Mutex::new(Graph::default())))
    }

    /// Notes that `waiting` is about to wait for `key`, which `owner` creates; `place` is where that creation is known
    /// here, if it is. If it would close a circle, nothing is noted and the keys of the circle are given.
    pub(crate) fn wait(
        &self,
        waiting: Owner,
        place: &mut Option<Place>,
        key: &Arc<str>,
        owner: Owner,
    ) -> Result<(), Vec<String>> {
        let mut graph = self.0.lock();
        graph.walk(waiting, key, owner)?;
        let place = *place.get_or_insert_with(|| graph.add(key, owner));
        // What an owner waited for before is over, even if its end has not come to be noted here.
        graph.waits.insert(waiting, place);
        Ok(())
    }

    /// `waiting` gave up.
    pub(crate) fn leave(&self, waiting: Owner, place: Place) {
        self.0.lock().forget(waiting, place);
    }

    /// `to`, which waited for it, now creates it.
    pub(crate) fn hand_over(&self, place: Place, to: Owner) {
        let mut graph = self.0.lock();
        graph.forget(to, place);
        if let Some(held) = graph.places.get_mut(&place) {
            held.owner = to;
        }
    }

    /// The creation is over, and nobody waits for it any more.
    pub(crate) fn end(&self, place: Place, waiting: impl Iterator<Item = Owner>) {
        let mut graph = self.0.lock();
        graph.places.remove(&place);
        for owner in waiting {
            graph.forget(owner, place);
        }
    }
}

impl Graph {
    fn add(&mut self, key: &Arc<str>, owner: Owner) -> Place {
        self.made += 1;
        let place = Place(self.made);
        let key = Arc::clone(key);
        self.places.insert(place, Held { key, owner });
        place
    }

    /// Follows the chain from `key` to whoever does not wait. It ends, because there is no circle yet.
    fn walk(&self, waiting: Owner, key: &Arc<str>, mut owner: Owner) -> Result<(), Vec<String>> {
        let mut passed = Vec::new();
        while owner != waiting {
            let Some(held) = self.waits.get(&owner).and_then(|at| self.places.get(at)) else {
                return Ok(());
            };
            passed.push(&held.key);
            owner = held.owner;
        }
        let keys = std::iter::once(key).chain(passed);
        Err(keys.map(ToString::to_string).collect())
    }

    /// Unless it waits for something else by now: a waiter may have seen the end before it was noted here.
    fn forget(&mut self, waiting: Owner, place: Place) {
        if self.waits.get(&waiting) == Some(&place) {
            self.waits.remove(&waiting);
        }
    }
}

impl Default for WaitGraph {
    fn default() -> Self {
        Self::new()
    }
}

impl Debug for WaitGraph {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let waits = self.0.lock().waits.len();
        f.debug_struct("WaitGraph").field("waits", &waits).finish()
    }
}

#[cfg(all(test, not(feature = "model-check")))]
mod tests {
    use super::*;

    const A: Owner = Owner(1_000_001);
    const B: Owner = Owner(1_000_002);
    const C: Owner = Owner(1_000_003);

    fn key(name: &str) -> Arc<str> {
        Arc::from(name)
    }

    fn is_empty(graph: &WaitGraph) -> bool {
        let graph = graph.0.lock();
        graph.places.is_empty() && graph.waits.is_empty()
    }

    #[test]
    fn an_owner_cannot_wait_for_itself() {
        let graph = WaitGraph::new();
        let refused = graph.wait(A, &mut None, &key("x"), A);
        assert_eq!(refused, Err(vec!["x".to_owned()]));
        assert!(is_empty(&graph));
    }

    #[test]
    fn the_wait_that_closes_a_circle_of_three_is_refused_with_its_keys() {
        let graph = WaitGraph::new();
        let (mut x, mut y) = (None, None);
        // A creates x, B creates y, C creates z.
        assert_eq!(graph.wait(B, &mut x, &key("x"), A), Ok(()));
        assert_eq!(graph.wait(C, &mut y, &key("y"), B), Ok(()));
        let refused = graph.wait(A, &mut None, &key("z"), C);
        let names = ["z", "y", "x"].map(str::to_owned).to_vec();
        assert_eq!(refused, Err(names));
    }

    #[test]
    fn many_may_wait_for_one() {
        let graph = WaitGraph::new();
        let mut x = None;
        assert_eq!(graph.wait(B, &mut x, &key("x"), A), Ok(()));
        assert_eq!(graph.wait(C, &mut x, &key("x"), A), Ok(()));
        graph.end(x.unwrap(), [B, C].into_iter());
        assert!(is_empty(&graph));
    }

    #[test]
    fn who_took_over_is_the_one_waited_for() {
        let graph = WaitGraph::new();
        let mut x = None;
        assert_eq!(graph.wait(B, &mut x, &key("x"), A), Ok(()));
        assert_eq!(graph.wait(C, &mut x, &key("x"), A), Ok(()));
        graph.hand_over(x.unwrap(), B);
        // C creates y: B, now the creator of x, must not wait for it, but A may.
        let mut y = None;
        assert!(graph.wait(B, &mut y, &key("y"), C).is_err());
        assert_eq!(graph.wait(A, &mut y, &key("y"), C), Ok(()));
    }

    #[test]
    fn an_end_noted_late_does_not_undo_a_later_wait() {
        let graph = WaitGraph::new();
        let (mut x, mut y) = (None, None);
        assert_eq!(graph.wait(B, &mut x, &key("x"), A), Ok(()));
        // B has seen x's ending by itself and waits for y before x is taken out of the graph.
        assert_eq!(graph.wait(B, &mut y, &key("y"), C), Ok(()));
        graph.end(x.unwrap(), std::iter::once(B));
        assert!(graph.wait(C, &mut None, &key("z"), B).is_err());
    }

    #[test]
    fn who_gave_up_is_not_waiting() {
        let graph = WaitGraph::new();
        let mut x = None;
        assert_eq!(graph.wait(B, &mut x, &key("x"), A), Ok(()));
        graph.leave(B, x.unwrap());
        assert_eq!(graph.wait(A, &mut None, &key("y"), B), Ok(()));
    }
}
