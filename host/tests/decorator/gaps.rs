//! Functions of several keys that share them, one of which may have no value for some.

use std::collections::HashMap;
use std::thread;

use dogpile::cached_multi;

use crate::counter::Counter;
use crate::region_support::{until, until_waiting};

/// No other test of the process has these keys.
fn shared(id: u32) -> String {
    format!("gap:{id}")
}

impl Counter {
    /// Ends when another waits for its keys, and has nothing for those that are even.
    #[cached_multi(region = &self.users, key = |id| shared(*id), clone)]
    fn odd_ones(&self, ids: &[u32]) -> HashMap<u32, u32> {
        for id in ids {
            until_waiting(&shared(*id), 1);
        }
        let odd = ids.iter().filter(|id| **id % 2 == 1);
        odd.map(|id| (*id, 7)).collect()
    }

    #[cached_multi(region = &self.users, key = |id| shared(*id), clone)]
    fn each_one(&self, ids: &[u32]) -> Vec<u32> {
        self.next();
        ids.to_vec()
    }
}

/// It has to return a value for each, and gives its own for all of them rather than a list with gaps.
#[test]
fn a_list_has_no_gaps_where_the_creation_that_it_waited_for_has_some() {
    let (counter, _) = Counter::new();
    thread::scope(|scope| {
        let creating = scope.spawn(|| counter.odd_ones(&[1, 2]));
        until(|| counter.users.key_is_locked(shared(2)).unwrap());
        assert_eq!(counter.each_one(&[2, 1]), [2, 1]);
        assert_eq!(creating.join().unwrap(), HashMap::from([(1, 7)]));
    });
    assert_eq!(counter.runs(), 1);
    // That was without the cache.
    assert_eq!(counter.each_one(&[2, 1]), [2, 7]);
    assert_eq!(counter.each_one(&[2, 1]), [2, 7]);
    assert_eq!(counter.runs(), 2);
}
