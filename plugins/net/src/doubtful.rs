//! What a lost reply leaves to be cleared up.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// Tokens that may be in a lock until it passes: of calls that took it or gave it up, and had no reply.
#[derive(Debug, Default)]
pub struct Doubtful(Mutex<HashMap<String, Vec<Token>>>);

#[derive(Debug)]
struct Token {
    text: String,
    passes: Instant,
}

impl Doubtful {
    /// A call that was to take `lock` for `lease` has not come back.
    pub fn add(&self, lock: &str, text: String, lease: Duration) {
        let now = Instant::now();
        let mut locks = self.0.lock();
        // Those of locks that nobody wants any more stay no longer than they matter.
        locks.retain(|_, tokens| {
            tokens.retain(|token| token.passes > now);
            !tokens.is_empty()
        });
        let tokens = locks.entry(lock.to_owned()).or_default();
        tokens.push(Token {
            text,
            passes: now + lease,
        });
    }

    /// One of them, for that lock.
    pub fn first(&self, lock: &str) -> Option<String> {
        let locks = self.0.lock();
        locks.get(lock)?.first().map(|token| token.text.clone())
    }

    /// It is known to have no lock.
    pub fn remove(&self, lock: &str, text: &str) {
        let mut locks = self.0.lock();
        if let Some(tokens) = locks.get_mut(lock) {
            tokens.retain(|token| token.text != text);
            if tokens.is_empty() {
                locks.remove(lock);
            }
        }
    }
}
