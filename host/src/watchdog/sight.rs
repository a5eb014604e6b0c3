//! How long the calls that are seen have been under way.

use std::collections::HashMap;
use std::time::Duration;

/// Where a call is seen.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Place {
    /// In a stripe of the host's calls.
    Stripe(usize),
    /// As the mark in a region's stripe: numbers of a slot and of a stripe.
    Mark(usize, usize),
}

/// A call that was seen.
#[derive(Clone)]
pub(super) struct Seen {
    pub(super) callee: usize,
    pub(super) method: &'static str,
    /// It has been under way for at least this long.
    pub(super) age: Duration,
    /// What it hangs in, once it was said that it does.
    pub(super) title: Option<String>,
    look: u64,
}

/// All calls that were seen in the last look, by their place and number.
#[derive(Default)]
pub(super) struct Sight {
    calls: HashMap<(Place, u64), Seen>,
    looks: u64,
}

impl Sight {
    /// Looks again, `passed` after the last look.
    pub(super) fn look(&mut self, passed: Duration) -> Look<'_> {
        self.looks += 1;
        Look {
            sight: self,
            passed,
        }
    }

    /// The calls to `callee` that have been under way for `limit`.
    pub(super) fn longer_than(
        &mut self,
        callee: usize,
        limit: Duration,
    ) -> impl Iterator<Item = &mut Seen> {
        let calls = self.calls.values_mut();
        calls.filter(move |call| call.callee == callee && call.age >= limit)
    }
}

/// One look. Calls that it does not see have ended.
pub(super) struct Look<'a> {
    sight: &'a mut Sight,
    passed: Duration,
}

impl Look<'_> {
    pub(super) fn sees(&mut self, place: Place, number: u64, callee: usize, method: &'static str) {
        let (passed, look) = (self.passed, self.sight.looks);
        let seen = self.sight.calls.entry((place, number));
        seen.and_modify(|call| {
            call.age += passed;
            call.look = look;
        })
        .or_insert(Seen {
            callee,
            method,
            age: Duration::ZERO,
            title: None,
            look,
        });
    }

    /// Forgets the calls that have ended, and gives those that hung, with what they hung in.
    pub(super) fn end(self) -> Vec<(String, Seen)> {
        let (look, passed) = (self.sight.looks, self.passed);
        let ended = self.sight.calls.extract_if(|_, call| call.look != look);
        let hung = ended.filter_map(|(_, mut call)| {
            call.age += passed;
            Some((call.title.take()?, call))
        });
        hung.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn look(sight: &mut Sight, calls: &[(usize, u64)]) -> usize {
        let mut look = sight.look(SECOND);
        for (stripe, number) in calls {
            look.sees(Place::Stripe(*stripe), *number, 7, "get");
        }
        look.end().len()
    }

    #[test]
    fn a_call_is_as_old_as_the_time_between_the_looks_that_saw_it() {
        let mut sight = Sight::default();
        look(&mut sight, &[(1, 1)]);
        assert_eq!(sight.longer_than(7, SECOND).count(), 0);
        look(&mut sight, &[(1, 1), (1, 2)]);
        assert_eq!(sight.longer_than(7, SECOND).count(), 1);
        look(&mut sight, &[(1, 1), (1, 2)]);
        assert_eq!(sight.longer_than(7, SECOND).count(), 2);
        assert_eq!(sight.longer_than(7, 2 * SECOND).count(), 1);
        assert_eq!(sight.longer_than(8, Duration::ZERO).count(), 0);
    }

    #[test]
    fn another_call_in_the_same_place_begins_anew() {
        let mut sight = Sight::default();
        for number in 0..100 {
            look(&mut sight, &[(1, number)]);
            assert_eq!(sight.longer_than(7, SECOND).count(), 0);
        }
        assert_eq!(sight.calls.len(), 1);
    }

    #[test]
    fn the_end_of_a_call_is_told_if_it_was_told_that_it_hangs() {
        let mut sight = Sight::default();
        look(&mut sight, &[(1, 1), (1, 2)]);
        look(&mut sight, &[(1, 1), (1, 2)]);
        for call in sight.longer_than(7, SECOND).take(1) {
            call.title = Some(String::from("it"));
        }
        assert_eq!(look(&mut sight, &[]), 1);
        assert_eq!(look(&mut sight, &[]), 0);
    }
}
