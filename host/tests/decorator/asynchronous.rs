//! Asynchronous functions.

use std::collections::HashMap;
use std::future::ready;
use std::sync::Arc;

use dogpile::{Cached, OnBackendError, RegionConfig, Source, cached, cached_multi};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Barrier;
use tokio::task::yield_now;

use crate::counter::Counter;
use crate::region_support::{Board, Fault, SECOND, builder, region, until_waiting};

fn runtime() -> Runtime {
    Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
}

impl Counter {
    #[cached(region = &self.users, expiration_time = "1m")]
    async fn later(&self, _id: u32) -> u32 {
        yield_now().await;
        self.next()
    }

    #[cached(region = &self.users, cache_err = "10s", clone)]
    async fn later_odd(&self, id: u32) -> Result<u32, String> {
        yield_now().await;
        let run = self.next();
        if id % 2 == 1 {
            Ok(run)
        } else {
            Err(format!("run {run}"))
        }
    }

    /// Whoever runs it waits until the other waits for it.
    #[cached(region = &self.users, key = "a thread and a task", clone)]
    async fn by_task(&self) -> Result<u32, u32> {
        ready(self.by_thread_original()).await
    }

    #[cached(region = &self.users, key = "a thread and a task", clone)]
    fn by_thread(&self) -> Result<u32, u32> {
        until_waiting("a thread and a task", 1);
        Err(self.next())
    }

    #[cached_multi(region = &self.users, clone)]
    async fn all(&self, ids: &[u32], factor: u32) -> HashMap<u32, u32> {
        yield_now().await;
        let run = self.next();
        let ids = ids.iter().filter(|id| **id != 10);
        ids.map(|id| (*id, run * factor)).collect()
    }

    #[cached_multi(region = &self.users)]
    async fn all_odd(&self, ids: &[u32]) -> Result<Vec<u32>, String> {
        let run = ready(self.next()).await;
        if ids.iter().all(|id| id % 2 == 1) {
            Ok(vec![run; ids.len()])
        } else {
            Err(format!("run {run}"))
        }
    }
}

#[cached(region = users, skip(users), clone)]
async fn borrowing(users: &dogpile::Region, text: &str) -> String {
    ready(format!("{text} in {}", users.name())).await
}

#[test]
fn an_asynchronous_function_is_cached_with_all_that_is_beside_it() {
    runtime().block_on(async {
        let (counter, hand) = Counter::new();
        let value: Cached<u32> = counter.later(1).await;
        assert_eq!((*value, value.source()), (1, Source::Created));
        assert_eq!(counter.later(1).await.source(), Source::Fresh);
        counter.later_set(7, 2).await.unwrap();
        assert_eq!(counter.later_get(2).await.unwrap().as_deref(), Some(&7));
        assert_eq!(*counter.later_refresh(2).await, 2);
        assert_eq!(*counter.later(2).await, 2);
        counter.later_invalidate(2).await.unwrap();
        assert_eq!(counter.later_get(2).await.unwrap(), None);
        assert_eq!(counter.later_original(2).await, 3);
        hand.advance(61 * SECOND);
        assert_eq!(*counter.later(1).await, 4);
        assert_eq!(
            counter.later_key(1).unwrap(),
            "decorator::counter::Counter::later(1)"
        );
        assert_eq!(borrowing(&counter.users, "it").await, "it in users");
    });
}

#[test]
fn an_error_is_cached_for_its_own_time_if_asked() {
    runtime().block_on(async {
        let (counter, hand) = Counter::new();
        assert_eq!(counter.later_odd(2).await, Err("run 1".into()));
        assert_eq!(counter.later_odd(2).await, Err("run 1".into()));
        hand.advance(11 * SECOND);
        assert_eq!(counter.later_odd(2).await, Err("run 2".into()));
        counter.later_odd_set(9, 2).await.unwrap();
        assert_eq!(counter.later_odd(2).await, Ok(9));
        counter.later_odd_invalidate(2).await.unwrap();
        assert_eq!(counter.later_odd_refresh(2).await, Err("run 3".into()));
        assert_eq!(counter.later_odd(2).await, Err("run 3".into()));
        assert_eq!(counter.later_odd_refresh(1).await, Ok(4));
        assert_eq!(counter.later_odd(1).await, Ok(4));
    });
}

#[test]
fn tasks_that_call_at_once_share_one_run() {
    const TASKS: usize = 64;
    runtime().block_on(async {
        let counter = Arc::new(Counter::new().0);
        let start = Arc::new(Barrier::new(TASKS));
        let tasks: Vec<_> = (0..TASKS)
            .map(|_| {
                let (counter, start) = (Arc::clone(&counter), Arc::clone(&start));
                tokio::spawn(async move {
                    start.wait().await;
                    *counter.later(3).await
                })
            })
            .collect();
        for task in tasks {
            assert_eq!(task.await.unwrap(), 1);
        }
        assert_eq!(counter.runs(), 1);
    });
}

#[test]
fn a_thread_and_a_task_share_an_error() {
    let counter = Arc::new(Counter::new().0);
    let runtime = runtime();
    let task = runtime.spawn({
        let counter = Arc::clone(&counter);
        async move { counter.by_task().await }
    });
    assert_eq!(counter.by_thread(), Err(1));
    assert_eq!(runtime.block_on(task).unwrap(), Err(1));
}

#[test]
fn several_keys_are_cached_each_by_itself() {
    runtime().block_on(async {
        let (counter, _) = Counter::new();
        assert_eq!(
            counter.all(&[1, 2, 10], 1).await,
            HashMap::from([(1, 1), (2, 1)])
        );
        assert_eq!(
            counter.all(&[2, 3], 1).await,
            HashMap::from([(2, 1), (3, 2)])
        );
        assert_eq!(counter.all_get(&[3, 10], 1).await.unwrap(), [Some(2), None]);
        counter.all_set([(10, 9)], 1).await.unwrap();
        counter.all_invalidate(&[2], 1).await.unwrap();
        assert_eq!(
            counter.all(&[2, 10], 1).await,
            HashMap::from([(2, 3), (10, 9)])
        );
        assert_eq!(
            counter.all_refresh(&[2, 10], 1).await,
            HashMap::from([(2, 4)])
        );
        assert_eq!(counter.all(&[2], 1).await, HashMap::from([(2, 4)]));

        assert_eq!(counter.all_odd(&[1, 2]).await.unwrap_err(), "run 5");
        assert_eq!(*counter.all_odd(&[1]).await.unwrap()[0], 6);
        assert_eq!(counter.all_odd_refresh(&[1, 2]).await.unwrap_err(), "run 7");
        assert_eq!(*counter.all_odd(&[1]).await.unwrap()[0], 6);
    });
}

#[test]
fn a_cache_that_fails_lets_the_function_run() {
    let failing = Board::new("decorated tasks");
    let config = failing.objects().on_backend_error(OnBackendError::Fail);
    let (counter, _) = Counter::on(region(config));
    for method in ["get", "get_fresh", "set", "delete"] {
        failing.fault(method, Some(Fault::Fail));
    }
    let (builder, hand) = builder();
    let host = builder.build().unwrap();
    let (undeclared, _) = Counter::on((host.declare("later"), hand));
    for counter in [&counter, &undeclared] {
        runtime().block_on(async {
            assert_eq!((*counter.later(1).await, *counter.later(2).await), (1, 2));
            assert_eq!(*counter.later_refresh(1).await, 3);
            assert_eq!(counter.later_odd(1).await, Ok(4));
            assert_eq!(counter.later_odd(2).await, Err("run 5".into()));
            assert_eq!(counter.all(&[1], 1).await, HashMap::from([(1, 6)]));
            assert_eq!(counter.all_refresh(&[1], 1).await, HashMap::from([(1, 7)]));
            assert!(counter.later_set(1, 1).await.is_err());
            assert!(counter.later_get(1).await.is_err());
        });
    }
    host.configure(RegionConfig::on("later", "memory")).unwrap();
}

/// What a runtime with several threads asks of a task.
fn may_be_spawned<T: Send>(future: T) -> T {
    future
}

/// With an argument that is not `Copy`, of which each run gets a clone.
#[cached_multi(region = users, skip(users), clone)]
async fn doubled(ids: &[u32], users: &dogpile::Region, unit: String) -> HashMap<u32, String> {
    yield_now().await;
    assert!(users.is_configured());
    ids.iter()
        .map(|id| (*id, format!("{}{unit}", id * 2)))
        .collect()
}

#[test]
fn the_futures_of_asynchronous_functions_may_be_spawned() {
    let (Counter { users, .. }, _) = Counter::new();
    let runtime = runtime();
    let expected = HashMap::from([(1, "2m".to_owned()), (3, "6m".to_owned())]);
    let got = runtime.block_on(may_be_spawned(doubled(&[1, 3], &users, "m".into())));
    assert_eq!(got, expected);
    let got = runtime.block_on(may_be_spawned(doubled::refresh(
        &[1, 3],
        &users,
        "m".into(),
    )));
    assert_eq!(got, expected);
    let own = users.clone();
    let spawned = runtime.spawn(async move { doubled(&[1, 3], &own, "m".into()).await });
    assert_eq!(runtime.block_on(spawned).unwrap(), expected);
    let counter = Counter::new().0;
    let later = runtime.block_on(may_be_spawned(counter.later(1)));
    assert_eq!(*later, 1);
}
