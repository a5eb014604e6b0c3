//! Calls that hang until the test lets them go.

use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use super::Board;

/// Holds calls of a board, which are given as [`Board::calls`] does.
#[derive(Clone, Default)]
pub(crate) struct Gate(Arc<(Mutex<State>, Condvar)>);

#[derive(Default)]
struct State {
    shut: Vec<String>,
    held: Vec<String>,
    /// How many were ever held.
    ever: usize,
}

impl Gate {
    /// Shut for these calls, with every key (`get`) or with one (`get user:1`).
    pub(crate) fn on(board: &Board, shut: &[&str]) -> Self {
        let gate = Self::default();
        gate.shut(shut);
        let theirs = gate.clone();
        board.hook(move |call| theirs.pass(call));
        gate
    }

    pub(crate) fn shut(&self, calls: &[&str]) {
        let calls = calls.iter().map(|call| (*call).to_owned());
        self.0.0.lock().unwrap().shut = calls.collect();
    }

    /// Lets all calls go, those that are held and those that come.
    pub(crate) fn open(&self) {
        self.0.0.lock().unwrap().shut.clear();
        self.0.1.notify_all();
    }

    /// Those that are held now.
    pub(crate) fn held(&self) -> Vec<String> {
        self.0.0.lock().unwrap().held.clone()
    }

    pub(crate) fn ever_held(&self) -> usize {
        self.0.0.lock().unwrap().ever
    }

    fn pass(&self, call: &str) {
        let (state, opened) = &*self.0;
        let mut state = state.lock().unwrap();
        let is_shut = |state: &State| {
            let mut shut = state.shut.iter();
            shut.any(|shut| shut == call || Some(&**shut) == call.split(' ').next())
        };
        if !is_shut(&state) {
            return;
        }
        state.ever += 1;
        state.held.push(call.to_owned());
        // A test that fails leaves nobody behind for ever.
        let end = Instant::now() + Duration::from_mins(2);
        while is_shut(&state) && Instant::now() < end {
            state = opened
                .wait_timeout(state, Duration::from_secs(1))
                .unwrap()
                .0;
        }
        let at = state.held.iter().position(|held| held == call);
        state.held.remove(at.expect("it was put there"));
    }
}
