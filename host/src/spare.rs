//! Values held in the process while their backend fails.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use dogpile_lock::Clock;
use dogpile_plugin_api::{Key, Value};
use parking_lot::Mutex;

/// More are not held at once: then none is taken in until one of them has had its time.
const MOST: usize = 1024;

/// The values that were created while the backend failed, each for a short time.
#[derive(Default)]
pub(crate) struct Spare {
    /// Each with the steady time until which it is held.
    held: Mutex<HashMap<Box<str>, (Value, u64)>>,
    /// Whether any was ever held: most backends never fail, and their stores need not look here.
    used: AtomicBool,
}

impl Spare {
    /// Holds a value for `time` from now on.
    pub(crate) fn hold(&self, key: &Key<'_>, value: &Value, time: Duration, clock: &Clock) {
        if time.is_zero() {
            return;
        }
        let now = clock.steady();
        let until = now.saturating_add(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
        // What goes may run the program's own code as it is dropped: not under the lock.
        let mut gone = Vec::new();
        let mut held = self.held.lock();
        self.used.store(true, Ordering::Release);
        if held.len() >= MOST {
            gone.extend(held.extract_if(|_, (_, until)| *until <= now));
        }
        if held.len() < MOST || held.contains_key(key.as_str()) {
            let old = held.insert(key.as_str().into(), (value.clone(), until));
            gone.extend(old.map(|old| (Box::from(""), old)));
        }
        drop(held);
        drop(gone);
    }

    /// The value that is held for `key`.
    pub(crate) fn get(&self, key: &Key<'_>, clock: &Clock) -> Option<Value> {
        let mut held = self.held.lock();
        let (value, until) = held.get(key.as_str())?;
        if clock.steady() < *until {
            return Some(value.clone());
        }
        let gone = held.remove(key.as_str());
        drop(held);
        drop(gone);
        None
    }

    /// What is held for `key` is outdated: a newer value was stored, or it is to be deleted.
    pub(crate) fn forget(&self, key: &Key<'_>) {
        if !self.used.load(Ordering::Acquire) {
            return;
        }
        let gone = self.held.lock().remove(key.as_str());
        drop(gone);
    }

    pub(crate) fn clear(&self) {
        let gone = std::mem::take(&mut *self.held.lock());
        drop(gone);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_held_for_its_time() {
        let (clock, hand) = Clock::manual(1_000);
        let (spare, key) = (Spare::default(), Key::new("key", 1));
        let value = Value::from(vec![1]);
        spare.hold(&key, &value, Duration::from_nanos(10), &clock);
        // By a clock that is set no time passes.
        hand.set(1_000_000);
        hand.advance(Duration::from_nanos(9));
        assert_eq!(spare.get(&key, &clock), Some(value));
        hand.set(1);
        hand.advance(Duration::from_nanos(1));
        assert_eq!(spare.get(&key, &clock), None);
        assert!(spare.held.lock().is_empty());
    }

    #[test]
    fn their_number_is_bounded() {
        let (clock, hand) = Clock::manual(1_000);
        let spare = Spare::default();
        let value = Value::from(vec![1]);
        let hold = |number: usize| {
            let text = number.to_string();
            spare.hold(
                &Key::new(&text, 1),
                &value,
                Duration::from_nanos(10),
                &clock,
            );
        };
        (0..=MOST).for_each(hold);
        assert_eq!(spare.held.lock().len(), MOST);
        hand.advance(Duration::from_nanos(10));
        hold(0);
        assert_eq!(spare.held.lock().len(), 1);
    }
}
