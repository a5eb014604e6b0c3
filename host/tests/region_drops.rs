//! Values whose drop calls the region that drops them: under no internal lock, so that none waits for itself.

#![forbid(unsafe_code)]

mod region_support;

use std::error::Error;
use std::fmt;
use std::future::ready;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::SystemTime;

use dogpile::{Invalidation, InvalidationStrategy, Region, RegionConfig, Verdict};
use serde::{Deserialize, Serialize};

use region_support::{Board, Fault, SECOND, memory, region, until};

/// A value that does something when it is dropped, or nothing.
#[derive(Default, Serialize, Deserialize)]
struct Acts {
    #[serde(skip)]
    act: Option<Box<dyn Fn() + Send + Sync>>,
}

impl Acts {
    fn by(act: impl Fn() + Send + Sync + 'static) -> Self {
        let act = Box::new(act);
        Self { act: Some(act) }
    }
}

impl Drop for Acts {
    fn drop(&mut self) {
        if let Some(act) = self.act.take() {
            act();
        }
    }
}

impl fmt::Debug for Acts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Acts")
    }
}

/// Ends the test if `work` waits for itself.
fn ends(what: &str, work: impl FnOnce() + Send + 'static) {
    let (done, is_done) = mpsc::channel();
    let thread = thread::spawn(move || {
        work();
        done.send(()).unwrap();
    });
    match is_done.recv_timeout(20 * SECOND) {
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("{what}: it waits for itself"),
        // Its own panic, if it had one, is what the test says.
        _ => thread.join().unwrap(),
    }
}

/// Backends that hold objects: the own one, and one that blocks, with and without mutexes, or in line.
fn configs(name: &str) -> Vec<RegionConfig> {
    let spy = |what: &str| Board::new(&format!("{name} {what}")).objects();
    vec![
        RegionConfig::on("users", "memory"),
        spy("mutexes"),
        spy("alone").argument("alone", true),
        spy("in line").argument("inline", true),
    ]
}

type Call = fn(&Region);

/// Whatever a region can be asked for, under the key `own`, which is being stored.
const CALLS: [(&str, Call); 9] = [
    ("delete", |users| users.delete("own").unwrap()),
    ("delete_multi", |users| {
        users.delete_multi(&["other", "own"]).unwrap();
    }),
    ("clear", |users| users.clear().unwrap()),
    ("set", |users| {
        users.set("own", Acts::default()).unwrap();
    }),
    ("set_multi", |users| {
        users.set_multi([("own", Acts::default())]).unwrap();
    }),
    ("get_or_create", |users| {
        users.delete("own").unwrap();
        users.get_or_create("own", Acts::default).unwrap();
    }),
    ("get_or_create_multi", |users| {
        users.delete("own").unwrap();
        let create = |missing: &[&'static str]| {
            let made = missing.iter().map(|key| (*key, Acts::default()));
            made.collect::<Vec<_>>()
        };
        users.get_or_create_multi(&["own"], create).unwrap();
    }),
    ("refresh", |users| {
        users.refresh("own", Acts::default).unwrap();
    }),
    ("a task", |users| {
        let refresh = users.refresh_async("own", || ready(Acts::default()));
        // The task that stores may be on this thread.
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.build().unwrap().block_on(refresh).unwrap();
    }),
];

/// How a value comes to be stored under `own`, in the place of one that acts.
const STORES: [(&str, Call); 7] = [
    ("by a thread", |users| {
        users.get_or_create("own", Acts::default).unwrap();
    }),
    ("by a task", |users| {
        let call = users.get_or_create_async("own", || ready(Acts::default()));
        futures_executor::block_on(call).unwrap();
    }),
    ("with others", |users| {
        let create = |missing: &[&'static str]| {
            let made = missing.iter().map(|key| (*key, Acts::default()));
            made.collect::<Vec<_>>()
        };
        users.get_or_create_multi(&["a", "own"], create).unwrap();
    }),
    ("with others by a task", |users| {
        let create = |missing: Vec<&'static str>| {
            let made = missing.into_iter().map(|key| (key, Acts::default()));
            ready(made.collect::<Vec<_>>())
        };
        let call = users.get_or_create_multi_async(&["a", "own"], create);
        futures_executor::block_on(call).unwrap();
    }),
    ("anew", |users| {
        users.refresh("own", Acts::default).unwrap();
    }),
    ("in the background", |users| {
        let entry = users.entry("own").background(Acts::default);
        entry.get_or_create().unwrap();
        until(|| !users.key_is_locked("own").unwrap());
    }),
    ("by hand", |users| {
        users.set("own", Acts::default()).unwrap();
    }),
];

#[test]
fn the_drop_of_a_value_that_is_stored_over_may_ask_for_its_own_key() {
    for (stored, store) in STORES {
        for (called, call) in CALLS {
            let what = format!("{called}, stored {stored}");
            for config in configs(&what) {
                ends(&format!("{what}, {config:?}"), move || {
                    let config = config.expiration_time(60 * SECOND).background_refresh();
                    let (users, hand) = region(config);
                    let acted = Arc::new(AtomicBool::new(false));
                    let (own, tell) = (users.clone(), Arc::clone(&acted));
                    let act = move || {
                        call(&own);
                        tell.store(true, Ordering::SeqCst);
                    };
                    users.set("own", Acts::by(act)).unwrap();
                    hand.advance(61 * SECOND);
                    store(&users);
                    // In the background, the key is free before the old value is dropped.
                    until(|| acted.load(Ordering::SeqCst));
                });
            }
        }
    }
}

/// As a drop that hands its work to a thread of its own does: nobody can know that it is part of the store.
#[test]
fn the_drop_of_a_value_that_is_stored_over_may_wait_for_a_deletion_by_another_thread() {
    for (stored, store) in STORES {
        for config in configs(&format!("another thread, {stored}")) {
            ends(&format!("{stored}, {config:?}"), move || {
                let config = config.expiration_time(60 * SECOND).background_refresh();
                let (users, hand) = region(config);
                let (own, (tell, told)) = (users.clone(), mpsc::channel());
                let act = move || {
                    let own = own.clone();
                    let deletes = thread::spawn(move || own.delete("own"));
                    deletes.join().unwrap().unwrap();
                    tell.send(()).unwrap();
                };
                users.set("own", Acts::by(act)).unwrap();
                hand.advance(61 * SECOND);
                store(&users);
                told.recv().unwrap();
                assert!(users.get::<Acts>("own").unwrap().is_none());
            });
        }
    }
}

#[test]
fn the_drop_of_a_value_that_is_evicted_may_ask_for_the_key_that_is_stored_in_its_place() {
    for (stored, store) in STORES {
        for (called, call) in CALLS {
            ends(&format!("{called}, stored {stored}"), move || {
                let config = RegionConfig::on("users", "memory").argument("max_entries", 1);
                let (users, _) = region(config);
                let (own, (tell, told)) = (users.clone(), mpsc::channel());
                let act = move || {
                    call(&own);
                    tell.send(()).unwrap();
                };
                users.set("before", Acts::by(act)).unwrap();
                store(&users);
                told.recv().unwrap();
            });
        }
    }
}

/// Two threads that store, and evict a value each whose drop deletes what the other stores.
#[test]
fn drops_of_evicted_values_that_delete_each_others_keys_do_not_wait_for_one_another() {
    ends("two threads", || {
        let config = RegionConfig::on("users", "memory").argument("max_entries", 2);
        let (users, _) = region(config);
        thread::scope(|scope| {
            for (key, other) in [("one", "two"), ("two", "one")] {
                let users = &users;
                scope.spawn(move || {
                    for _ in 0..2_000 {
                        let own = users.clone();
                        let act = move || own.delete(other).unwrap();
                        drop(users.get_or_create(key, || Acts::by(act)).unwrap());
                        let own = users.clone();
                        let act = move || own.delete(key).unwrap();
                        drop(users.get_or_create("third", || Acts::by(act)).unwrap());
                    }
                });
            }
        });
        users.clear().unwrap();
    });
}

#[test]
fn the_drop_of_a_value_that_is_evicted_by_the_second_read_may_ask_for_the_key_that_is_read() {
    for (called, call) in CALLS {
        ends(called, move || {
            let board = Board::new(&format!("evicts as it reads {called}"));
            let (users, _) = region(board.objects());
            let (own, (tell, told)) = (users.clone(), mpsc::channel());
            let act = move || {
                call(&own);
                tell.send(()).unwrap();
            };
            users.set("before", Acts::by(act)).unwrap();
            let evicting = Arc::clone(&board);
            board.hook(move |call| {
                if call == "get_fresh own" {
                    evicting.remove("before");
                }
            });
            users.get_or_create("own", Acts::default).unwrap();
            told.recv().unwrap();
        });
    }
}

/// What stands in the example of the plugin interface: what it replaces is dropped under its lock.
#[test]
fn a_backend_may_drop_what_it_replaces_under_its_own_lock() {
    for (called, call) in CALLS {
        ends(called, move || {
            let board = Board::new(&format!("drops under its lock {called}"));
            let (users, _) = region(board.objects().argument("careless", true));
            for remove in [0, 1, 2] {
                let (own, (tell, told)) = (users.clone(), mpsc::channel());
                let act = move || {
                    call(&own);
                    tell.send(()).unwrap();
                };
                users.set("own", Acts::by(act)).unwrap();
                match remove {
                    0 => drop(users.set("own", Acts::default()).unwrap()),
                    1 => users.delete("own").unwrap(),
                    _ => users.clear().unwrap(),
                }
                told.recv().unwrap();
            }
        });
    }
}

/// Such as could not be stored, and are held in the process instead.
#[test]
fn the_drop_of_a_value_that_was_held_may_ask_for_its_own_key() {
    for (called, call) in CALLS {
        for (stored, store) in STORES {
            for works in [false, true] {
                let what = format!("held, {called}, stored {stored}, {works}");
                ends(&what.clone(), move || {
                    let board = Board::new(&what);
                    let config = board.objects().argument("alone", true);
                    let (users, hand) = region(
                        config
                            .expiration_time(60 * SECOND)
                            .bypass_hold(600 * SECOND)
                            .background_refresh(),
                    );
                    for method in ["set", "set_multi"] {
                        board.fault(method, Some(Fault::Fail));
                    }
                    let (own, (tell, told)) = (users.clone(), mpsc::channel());
                    let act = move || {
                        call(&own);
                        tell.send(()).unwrap();
                    };
                    drop(users.refresh("own", || Acts::by(act)).unwrap());
                    hand.advance(61 * SECOND);
                    if works {
                        board.fault("set", None);
                        board.fault("set_multi", None);
                    }
                    store(&users);
                    told.recv().unwrap();
                });
            }
        }
    }
}

/// Such as a caller has read and may not be served: what it reads again, in its turn, takes its place.
#[test]
fn the_drop_of_a_value_that_was_read_before_the_turn_may_ask_for_its_own_key() {
    for (called, call) in CALLS {
        for (stored, store) in &STORES[..4] {
            let what = format!("read before, {called}, stored {stored}");
            ends(&what.clone(), move || {
                let board = Board::new(&what);
                let config = board.objects().argument("alone", true);
                let (users, hand) = region(config.expiration_time(60 * SECOND));
                let (own, (tell, told)) = (users.clone(), mpsc::channel());
                let act = move || {
                    call(&own);
                    tell.send(()).unwrap();
                };
                users.set("own", Acts::by(act)).unwrap();
                hand.advance(61 * SECOND);
                let evicts = Arc::downgrade(&board);
                board.hook(move |call| {
                    if call.starts_with("get_") && call.contains("_fresh") {
                        evicts.upgrade().unwrap().remove("own");
                    }
                });
                store(&users);
                told.recv().unwrap();
            });
        }
    }
}

/// A strategy that does something when it is dropped, or nothing.
struct Strategy(Option<Box<dyn Fn() + Send + Sync>>);

impl Drop for Strategy {
    fn drop(&mut self) {
        if let Some(act) = self.0.take() {
            act();
        }
    }
}

impl InvalidationStrategy for Strategy {
    fn invalidate(&self, _: Invalidation) -> Result<(), Box<dyn Error + Send + Sync>> {
        Ok(())
    }

    fn outdates(&self, _: SystemTime, _: SystemTime) -> Option<Verdict> {
        None
    }
}

#[test]
fn the_drop_of_a_strategy_that_is_replaced_may_invalidate() {
    ends("strategy", || {
        let (users, _) = memory();
        let (own, (tell, told)) = (users.clone(), mpsc::channel());
        let act = move || {
            own.invalidate_tags(["tag"], Invalidation::Hard).unwrap();
            tell.send(()).unwrap();
        };
        users.set_invalidation_strategy(Strategy(Some(Box::new(act))));
        users.set_invalidation_strategy(Strategy(None));
        told.recv().unwrap();
    });
}
