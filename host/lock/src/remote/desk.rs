//! What is to be done with the leases of one store, and when.

use super::RemoteMutex;
use super::held::State;
use std::collections::VecDeque;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

/// The leases that are renewed, and those that their holders dropped.
pub(super) struct Desk<M: RemoteMutex> {
    pub(super) kept: Vec<Kept<M>>,
    pub(super) returns: VecDeque<(Arc<M>, M::Lease)>,
    /// A return is under way. There is one at a time, so that they never take the threads away from renewals.
    pub(super) returning: bool,
}

pub(super) struct Kept<M: RemoteMutex> {
    pub(super) state: Weak<State<M>>,
    pub(super) times: Times,
    /// Its renewal is under way.
    pub(super) renewing: bool,
    /// When it is to be told that the lease has passed meanwhile.
    pub(super) note_at: Option<Instant>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Times {
    pub(super) renew_at: Instant,
    /// None: never by itself.
    pub(super) passes_at: Option<Instant>,
}

/// What a thread does next. Numbers are those of `kept`.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    Renew(usize),
    /// It has passed, and its renewal has not come back.
    Note(usize),
    GiveBack,
    /// Nothing is to be done before that moment, or before there is news.
    Wait(Option<Instant>),
}

impl<M: RemoteMutex> Desk<M> {
    pub(super) fn new() -> Self {
        Self {
            kept: Vec::new(),
            returns: VecDeque::new(),
            returning: false,
        }
    }

    pub(super) fn forget_the_gone(&mut self) {
        self.kept.retain(|kept| kept.state.strong_count() > 0);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.kept.is_empty() && self.returns.is_empty()
    }

    /// The lease that passes first, of those that are to be renewed, comes first; then what nobody needs any more, which
    /// passes by itself if it is given back late.
    pub(super) fn next(&self, now: Instant) -> Next {
        let numbered = || self.kept.iter().enumerate();
        let due = numbered().filter(|(_, kept)| !kept.renewing && kept.times.renew_at <= now);
        // No moment is the last of all.
        let urgency = |kept: &Kept<M>| (kept.times.passes_at.is_none(), kept.times.passes_at);
        if let Some((at, _)) = due.min_by_key(|(_, kept)| urgency(kept)) {
            return Next::Renew(at);
        }
        let is_overdue = |kept: &Kept<M>| kept.note_at.is_some_and(|at| at <= now);
        if let Some((at, _)) = numbered().find(|(_, kept)| is_overdue(kept)) {
            return Next::Note(at);
        }
        if !self.returning && !self.returns.is_empty() {
            return Next::GiveBack;
        }
        let moments = self.kept.iter().filter_map(|kept| {
            if kept.renewing {
                kept.note_at
            } else {
                Some(kept.times.renew_at)
            }
        });
        Next::Wait(moments.min())
    }

    /// A renewal begins, which takes no longer than `patience` if all is well.
    pub(super) fn begin_renewal(&mut self, at: usize, now: Instant, patience: Duration) {
        let kept = &mut self.kept[at];
        kept.renewing = true;
        // One that began late is given the time to end, too.
        kept.note_at = kept.times.passes_at.map(|at| at.max(now + patience));
    }

    /// A renewal has come back, with when the next is due; `None`: there is nothing more to renew.
    pub(super) fn renewed(&mut self, state: &Weak<State<M>>, times: Option<Times>) {
        let Some(at) = self.kept.iter().position(|kept| kept.state.ptr_eq(state)) else {
            return;
        };
        match times {
            Some(times) => {
                let kept = &mut self.kept[at];
                (kept.times, kept.renewing, kept.note_at) = (times, false, None);
            }
            None => drop(self.kept.swap_remove(at)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// Never called.
    struct Silent;

    impl RemoteMutex for Silent {
        type Lease = u32;
        type Error = String;

        fn try_acquire(&self, _: Duration) -> Result<Option<u32>, String> {
            unreachable!()
        }
        fn wait(&self, _: Duration) -> Result<(), String> {
            unreachable!()
        }
        fn renew(&self, _: &mut u32) -> Result<bool, String> {
            unreachable!()
        }
        fn release(&self, _: u32) -> Result<(), String> {
            unreachable!()
        }
        fn is_locked(&self) -> Result<bool, String> {
            unreachable!()
        }
    }

    /// A desk with leases that are to be renewed and pass after so many seconds, and the moment that they are counted from.
    fn desk(times: &[(u64, Option<u64>)]) -> (Desk<Silent>, impl Fn(u64) -> Instant + use<>) {
        let start = Instant::now();
        let at = move |seconds| start + Duration::from_secs(seconds);
        let mut desk = Desk::new();
        desk.kept = times
            .iter()
            .map(|(renew, pass)| Kept {
                state: Weak::new(),
                times: Times {
                    renew_at: at(*renew),
                    passes_at: pass.map(at),
                },
                renewing: false,
                note_at: None,
            })
            .collect();
        (desk, at)
    }

    #[test]
    fn renewals_come_before_returns_and_the_first_to_pass_before_the_others() {
        let (mut desk, at) = desk(&[(9, Some(90)), (8, None), (10, Some(12)), (20, Some(21))]);
        desk.returns.push_back((Arc::new(Silent), 1));
        assert_eq!(desk.next(at(5)), Next::GiveBack);
        assert_eq!(desk.next(at(8)), Next::Renew(1));
        assert_eq!(desk.next(at(9)), Next::Renew(0));
        assert_eq!(desk.next(at(11)), Next::Renew(2));
        desk.kept[2].renewing = true;
        assert_eq!(desk.next(at(11)), Next::Renew(0));
        desk.kept[0].renewing = true;
        desk.kept[1].renewing = true;
        assert_eq!(desk.next(at(11)), Next::GiveBack);
    }

    #[test]
    fn returns_are_made_one_at_a_time() {
        let (mut desk, at) = desk(&[(9, None)]);
        desk.returns.push_back((Arc::new(Silent), 1));
        desk.returning = true;
        assert_eq!(desk.next(at(1)), Next::Wait(Some(at(9))));
    }

    #[test]
    fn a_lease_that_passes_while_it_is_renewed_is_noted_once() {
        let (mut desk, at) = desk(&[(1, Some(3)), (5, Some(15))]);
        desk.begin_renewal(0, at(1), SECOND);
        assert_eq!(desk.next(at(2)), Next::Wait(Some(at(3))));
        assert_eq!(desk.next(at(3)), Next::Note(0));
        desk.kept[0].note_at = None;
        assert_eq!(desk.next(at(3)), Next::Wait(Some(at(5))));
    }

    #[test]
    fn a_renewal_that_begins_when_its_lease_has_passed_is_given_time_to_end() {
        let (mut desk, at) = desk(&[(1, Some(3))]);
        desk.begin_renewal(0, at(7), SECOND);
        assert_eq!(desk.next(at(7)), Next::Wait(Some(at(8))));
        assert_eq!(desk.next(at(8)), Next::Note(0));
    }

    #[test]
    fn without_leases_it_waits_for_news() {
        let (desk, at) = desk(&[]);
        assert_eq!(desk.next(at(0)), Next::Wait(None));
    }
}
