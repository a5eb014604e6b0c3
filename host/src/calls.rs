//! The calls of plugins that are under way, so that one that hangs is noticed.

use parking_lot::Mutex;

use crate::stripes;

/// What a host's threads are in at the moment, but for the calls that a [`Mark`](crate::slot::Mark) tells of. Each call
/// costs two locks of a stripe that mostly one thread uses.
pub(crate) struct Calls {
    stripes: Box<[Stripe]>,
}

#[repr(align(128))]
#[derive(Default)]
struct Stripe(Mutex<UnderWay>);

#[derive(Default)]
struct UnderWay {
    begun: u64,
    calls: Vec<(u64, Call)>,
}

/// One call.
#[derive(Clone, Copy)]
struct Call {
    callee: usize,
    method: &'static str,
}

/// A call as others see it.
pub(crate) struct Seen {
    pub(crate) stripe: usize,
    /// No other call of the stripe ever has it.
    pub(crate) number: u64,
    /// Whom it is made to: an address, which stays its own during the call.
    pub(crate) callee: usize,
    pub(crate) method: &'static str,
}

impl Default for Calls {
    fn default() -> Self {
        Self {
            stripes: (0..*stripes::COUNT).map(|_| Stripe::default()).collect(),
        }
    }
}

impl Calls {
    /// Makes a call, which is seen until it ends.
    pub(crate) fn during<T>(
        &self,
        callee: usize,
        method: &'static str,
        call: impl FnOnce() -> T,
    ) -> T {
        let stripe = &self.stripes[stripes::own(self.stripes.len())];
        let mut under_way = stripe.0.lock();
        let number = under_way.begun;
        under_way.begun += 1;
        under_way.calls.push((number, Call { callee, method }));
        drop(under_way);
        // Also if the call unwinds.
        let _entered = Entered { stripe, number };
        call()
    }

    /// All that are under way, each at some moment of this look.
    pub(crate) fn seen(&self, mut see: impl FnMut(Seen)) {
        let mut copied = Vec::new();
        for (stripe, of) in self.stripes.iter().enumerate() {
            // Nobody waits for what `see` does.
            copied.clone_from(&of.0.lock().calls);
            for (number, call) in copied.drain(..) {
                see(Seen {
                    stripe,
                    number,
                    callee: call.callee,
                    method: call.method,
                });
            }
        }
    }
}

struct Entered<'a> {
    stripe: &'a Stripe,
    number: u64,
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        let mut under_way = self.stripe.0.lock();
        let calls = &mut under_way.calls;
        if let Some(at) = calls.iter().position(|(number, _)| *number == self.number) {
            calls.swap_remove(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;

    fn seen(calls: &Calls) -> Vec<(u64, &'static str)> {
        let mut all = Vec::new();
        calls.seen(|call| all.push((call.number, call.method)));
        all
    }

    #[test]
    fn a_call_is_seen_until_it_ends_by_a_number_that_no_other_has() {
        let calls = Calls::default();
        let mut numbers = Vec::new();
        for _ in 0..3 {
            calls.during(1, "get", || {
                let ended = catch_unwind(AssertUnwindSafe(|| {
                    calls.during(2, "set", || {
                        let [(get, "get"), (set, "set")] = seen(&calls)[..] else {
                            panic!("{:?}", seen(&calls))
                        };
                        numbers.extend([get, set]);
                        panic!("on purpose");
                    })
                }));
                assert_eq!(ended.unwrap_err().downcast_ref(), Some(&"on purpose"));
                let get = numbers[numbers.len() - 2];
                assert_eq!(seen(&calls), [(get, "get")]);
            });
            assert_eq!(seen(&calls), []);
        }
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), 6);
    }
}
