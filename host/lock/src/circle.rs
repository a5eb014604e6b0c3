//! Who waits for whom, so that a wait which would never end is refused.

use crate::scope::Owner;
use crate::sync::{Arc, Mutex};
use std::collections::{HashMap, HashSet};
use std::fmt::{self, Debug, Formatter};

/// A flight that a creation depends on, or did. Numbers are never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Place(u64);

/// The waits between all creations of the [`Flights`](crate::Flights) that share it. Clones are the same graph; give one
/// to every table whose creators may call each other, since a circle can run through several.
///
/// It is touched only by calls from within a creator: nobody can wait for a caller that creates nothing.
#[derive(Clone)]
pub struct WaitGraph(Arc<Mutex<Graph>>);

/// Each place has one owner, an owner may wait for several places, and the two together never make a circle.
#[derive(Default)]
struct Graph {
    made: u64,
    places: HashMap<Place, Held>,
    waits: HashMap<Owner, Vec<Place>>,
}

struct Held {
    key: Arc<str>,
    owner: Owner,
    /// As often as they wait for it.
    waiting: Vec<Owner>,
}

impl WaitGraph {
    /// A graph without waits.
    pub fn new() -> Self {
        Self(Arc::new(Mutex::new(Graph::default())))
    }

    /// Notes that a call within `parent` begins to create `key` as `owner`, which nobody waits for yet.
    pub(crate) fn begin(&self, parent: Owner, key: &Arc<str>, owner: Owner) -> Place {
        let mut graph = self.0.lock();
        let place = graph.add(key, owner);
        graph.note(parent, place);
        place
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
        if let Some(circle) = graph.circle(waiting, key, owner) {
            return Err(circle);
        }
        let place = *place.get_or_insert_with(|| graph.add(key, owner));
        graph.note(waiting, place);
        Ok(())
    }

    /// `waiting` does not wait for it any more, as often as it did less one.
    pub(crate) fn leave(&self, waiting: Owner, place: Place) {
        self.0.lock().forget(waiting, place);
    }

    /// `to` creates it now.
    pub(crate) fn hand_over(&self, place: Place, to: Owner) {
        if let Some(held) = self.0.lock().places.get_mut(&place) {
            held.owner = to;
        }
    }

    /// The creation is over, and nobody waits for it any more.
    pub(crate) fn end(&self, place: Place) {
        let mut graph = self.0.lock();
        let Some(held) = graph.places.remove(&place) else {
            return;
        };
        for owner in held.waiting {
            graph.unlist(owner, place);
        }
    }
}

impl Graph {
    fn add(&mut self, key: &Arc<str>, owner: Owner) -> Place {
        self.made += 1;
        let place = Place(self.made);
        let held = Held {
            key: Arc::clone(key),
            owner,
            waiting: Vec::new(),
        };
        self.places.insert(place, held);
        place
    }

    fn note(&mut self, waiting: Owner, place: Place) {
        self.waits.entry(waiting).or_default().push(place);
        if let Some(held) = self.places.get_mut(&place) {
            held.waiting.push(waiting);
        }
    }

    fn forget(&mut self, waiting: Owner, place: Place) {
        let Some(held) = self.places.get_mut(&place) else {
            return;
        };
        if let Some(at) = held.waiting.iter().position(|owner| *owner == waiting) {
            held.waiting.swap_remove(at);
            self.unlist(waiting, place);
        }
    }

    fn unlist(&mut self, waiting: Owner, place: Place) {
        let Some(places) = self.waits.get_mut(&waiting) else {
            return;
        };
        if let Some(at) = places.iter().position(|other| *other == place) {
            places.swap_remove(at);
        }
        if places.is_empty() {
            self.waits.remove(&waiting);
        }
    }

    /// The keys on the way from `key`, created by `owner`, to what `waiting` creates; `None` if there is none.
    fn circle(&self, waiting: Owner, key: &Arc<str>, owner: Owner) -> Option<Vec<String>> {
        if owner == waiting {
            return Some(vec![key.to_string()]);
        }
        // A way may be longer than a thread's stack. Every owner is looked at once, however many ways lead to it.
        let waits_of = |owner: Owner| self.waits.get(&owner).into_iter().flatten();
        let (mut path, mut seen) = (vec![key], HashSet::from([owner]));
        let mut ahead = vec![waits_of(owner)];
        while let Some(places) = ahead.last_mut() {
            let Some(place) = places.next() else {
                ahead.pop();
                path.pop();
                continue;
            };
            let Some(held) = self.places.get(place) else {
                continue;
            };
            if held.owner == waiting {
                path.push(&held.key);
                return Some(path.iter().map(ToString::to_string).collect());
            }
            if seen.insert(held.owner) {
                path.push(&held.key);
                ahead.push(waits_of(held.owner));
            }
        }
        None
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

    fn owners() -> [Owner; 3] {
        [Owner::new(), Owner::new(), Owner::new()]
    }

    fn key(name: &str) -> Arc<str> {
        Arc::from(name)
    }

    fn is_empty(graph: &WaitGraph) -> bool {
        let graph = graph.0.lock();
        graph.places.is_empty() && graph.waits.is_empty()
    }

    #[test]
    fn an_owner_cannot_wait_for_itself() {
        let ([a, ..], graph) = (owners(), WaitGraph::new());
        let refused = graph.wait(a, &mut None, &key("x"), a);
        assert_eq!(refused, Err(vec!["x".to_owned()]));
        assert!(is_empty(&graph));
    }

    #[test]
    fn the_wait_that_closes_a_circle_of_three_is_refused_with_its_keys() {
        let ([a, b, c], graph) = (owners(), WaitGraph::new());
        // a creates x, b creates y, c creates z.
        assert_eq!(graph.wait(b, &mut None, &key("x"), a), Ok(()));
        assert_eq!(graph.wait(c, &mut None, &key("y"), b), Ok(()));
        let refused = graph.wait(a, &mut None, &key("z"), c);
        assert_eq!(refused, Err(["z", "y", "x"].map(str::to_owned).to_vec()));
    }

    #[test]
    fn many_may_wait_for_one() {
        let ([a, b, c], graph) = (owners(), WaitGraph::new());
        let mut of_x = None;
        assert_eq!(graph.wait(b, &mut of_x, &key("x"), a), Ok(()));
        assert_eq!(graph.wait(c, &mut of_x, &key("x"), a), Ok(()));
        graph.end(of_x.unwrap());
        assert!(is_empty(&graph));
    }

    #[test]
    fn one_that_waits_for_several_is_found_by_each() {
        let ([a, b, c], graph) = (owners(), WaitGraph::new());
        let (mut of_x, mut of_y) = (None, None);
        // c waits for x of a and y of b at once.
        assert_eq!(graph.wait(c, &mut of_x, &key("x"), a), Ok(()));
        assert_eq!(graph.wait(c, &mut of_y, &key("y"), b), Ok(()));
        assert!(graph.wait(a, &mut None, &key("z"), c).is_err());
        assert!(graph.wait(b, &mut None, &key("z"), c).is_err());
        graph.end(of_x.unwrap());
        let mut of_z = None;
        assert_eq!(graph.wait(a, &mut of_z, &key("z"), c), Ok(()));
        assert!(graph.wait(b, &mut of_z, &key("z"), c).is_err());
        graph.end(of_y.unwrap());
        graph.end(of_z.unwrap());
        assert!(is_empty(&graph));
    }

    #[test]
    fn a_creation_depends_on_those_that_its_creator_begins() {
        let ([a, b, c], graph) = (owners(), WaitGraph::new());
        // The creator of x, a, begins y as b, whose creator asks for x.
        let of_y = graph.begin(a, &key("y"), b);
        let refused = graph.wait(b, &mut None, &key("x"), a);
        assert_eq!(refused, Err(["x", "y"].map(str::to_owned).to_vec()));
        // It gave up: c has y now, for others.
        graph.hand_over(of_y, c);
        graph.leave(a, of_y);
        assert_eq!(graph.wait(c, &mut None, &key("x"), a), Ok(()));
    }

    #[test]
    fn who_took_over_is_the_one_waited_for() {
        let ([a, b, c], graph) = (owners(), WaitGraph::new());
        let mut of_x = None;
        assert_eq!(graph.wait(c, &mut of_x, &key("x"), a), Ok(()));
        graph.hand_over(of_x.unwrap(), b);
        // c creates y: b, now the creator of x, must not wait for it, but a may.
        let mut of_y = None;
        assert!(graph.wait(b, &mut of_y, &key("y"), c).is_err());
        assert_eq!(graph.wait(a, &mut of_y, &key("y"), c), Ok(()));
    }

    #[test]
    fn a_way_longer_than_any_stack_is_walked() {
        const LENGTH: usize = if cfg!(miri) { 500 } else { 10_000 };
        let graph = WaitGraph::new();
        let owners: Vec<_> = (0..LENGTH).map(|_| Owner::new()).collect();
        // Each waits for the next.
        for pair in owners.windows(2) {
            assert_eq!(graph.wait(pair[0], &mut None, &key("x"), pair[1]), Ok(()));
        }
        let small = std::thread::Builder::new().stack_size(64 * 1024);
        let closed = small
            .spawn(move || graph.wait(owners[LENGTH - 1], &mut None, &key("first"), owners[0]));
        let circle = closed.unwrap().join().unwrap().unwrap_err();
        assert_eq!((circle.len(), &*circle[0]), (LENGTH, "first"));
    }

    #[test]
    fn who_waits_twice_and_leaves_once_is_still_waiting() {
        let ([a, b, _], graph) = (owners(), WaitGraph::new());
        let mut of_x = None;
        assert_eq!(graph.wait(b, &mut of_x, &key("x"), a), Ok(()));
        assert_eq!(graph.wait(b, &mut of_x, &key("x"), a), Ok(()));
        graph.leave(b, of_x.unwrap());
        assert!(graph.wait(a, &mut None, &key("y"), b).is_err());
        graph.leave(b, of_x.unwrap());
        assert_eq!(graph.wait(a, &mut None, &key("y"), b), Ok(()));
    }
}
