//! Callers that are tasks of a runtime.

use std::future::poll_fn;
use std::hint::black_box;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Poll, Waker};

use dogpile::Region;
use tokio::runtime::Handle;
use tokio::task::JoinSet;

use super::foyer::Foyer;
use super::herd::Herd;
use super::{CAPACITY, Outcome};
use crate::peers::{Settings, open};
use crate::workload::{Blob, TTL};

type Call = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What a task may call.
pub(crate) trait Contender {
    fn name(&self) -> &'static str;
    /// Ends when the value is there.
    fn call(&self, herd: Arc<Herd>) -> Call;
}

/// The list first: all others are measured beside it.
pub(crate) fn contenders() -> Vec<Box<dyn Contender>> {
    let moka = moka::future::Cache::builder()
        .max_capacity(CAPACITY as u64)
        .time_to_live(TTL)
        .build();
    vec![
        Box::new(Arc::<List>::default()),
        Box::new(open(&Settings::of(CAPACITY))),
        Box::new(moka),
        Box::new(Foyer::new()),
    ]
}

/// Lets so many tasks call at once.
pub(crate) fn stampede(
    runtime: &Handle,
    contender: &dyn Contender,
    number: usize,
    callers: usize,
) -> Outcome {
    let herd = Arc::new(Herd::new(number, callers));
    let mut tasks = JoinSet::new();
    for _ in 0..callers {
        let (herd, call) = (Arc::clone(&herd), contender.call(Arc::clone(&herd)));
        let task = async move {
            herd.call();
            call.await;
            herd.return_to_caller();
        };
        tasks.spawn_on(task, runtime);
    }
    runtime.block_on(tasks.join_all());
    Outcome::of(&herd)
}

/// The floor: wakers on a list, woken one by one by the first task.
#[derive(Default)]
struct List {
    /// The number of the last herd that has a creator, and of the last one that was woken.
    led: AtomicUsize,
    woken: AtomicUsize,
    wakers: Mutex<Vec<Waker>>,
}

impl List {
    fn wakers(&self) -> impl std::ops::DerefMut<Target = Vec<Waker>> {
        self.wakers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn call(&self, herd: &Herd) {
        if self.led.swap(herd.number, Ordering::Relaxed) != herd.number {
            black_box(herd.create_async().await);
            let wakers = {
                let mut wakers = self.wakers();
                self.woken.store(herd.number, Ordering::Release);
                std::mem::take(&mut *wakers)
            };
            wakers.into_iter().for_each(Waker::wake);
            return;
        }
        poll_fn(|context| {
            if self.woken.load(Ordering::Acquire) == herd.number {
                return Poll::Ready(());
            }
            let mut wakers = self.wakers();
            // It may have been stored before the list was locked.
            if self.woken.load(Ordering::Acquire) == herd.number {
                return Poll::Ready(());
            }
            wakers.push(context.waker().clone());
            Poll::Pending
        })
        .await;
    }
}

impl Contender for Arc<List> {
    fn name(&self) -> &'static str {
        "woken list"
    }

    fn call(&self, herd: Arc<Herd>) -> Call {
        let list = Arc::clone(self);
        Box::pin(async move { list.as_ref().call(&herd).await })
    }
}

impl Contender for Region {
    fn name(&self) -> &'static str {
        "dogpile"
    }

    fn call(&self, herd: Arc<Herd>) -> Call {
        let region = self.clone();
        Box::pin(async move {
            let value = region.get_or_create_async(&herd.key, || herd.create_async());
            black_box(value.await.expect("memory does not fail"));
        })
    }
}

impl Contender for moka::future::Cache<String, Blob> {
    fn name(&self) -> &'static str {
        "moka"
    }

    fn call(&self, herd: Arc<Herd>) -> Call {
        let cache = self.clone();
        Box::pin(async move {
            black_box(cache.get_with_by_ref(&herd.key, herd.create_async()).await);
        })
    }
}

impl Contender for Foyer {
    fn name(&self) -> &'static str {
        "foyer"
    }

    fn call(&self, herd: Arc<Herd>) -> Call {
        let cache = self.clone();
        Box::pin(async move {
            black_box(cache.get_or_create(&herd).await);
        })
    }
}
