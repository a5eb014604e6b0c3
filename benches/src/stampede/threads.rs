//! Callers that block a thread each.

use std::hint::black_box;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex, PoisonError};
use std::thread::{self, Thread};

use tokio::runtime::Handle;

use super::foyer::Foyer;
use super::herd::Herd;
use super::{CAPACITY, Outcome};
use crate::peers::{Dogpile, Moka, Peer};
use crate::workload::Blob;

/// What a thread may call.
pub(crate) trait Contender: Sync {
    fn name(&self) -> &'static str;
    /// Returns when the value is there.
    fn call(&self, herd: &Arc<Herd>);
}

/// The list first: all others are measured beside it.
pub(crate) fn contenders(runtime: &Handle) -> Vec<Box<dyn Contender>> {
    vec![
        Box::new(List::default()),
        Box::new(Named("dogpile", <Dogpile as Peer<Blob>>::new(CAPACITY))),
        Box::new(Named("moka", Moka::<Blob>::new(CAPACITY))),
        Box::new(OnRuntime(Foyer::new(), runtime.clone())),
    ]
}

/// Lets so many threads call at once.
pub(crate) fn stampede(contender: &dyn Contender, number: usize, callers: usize) -> Outcome {
    let herd = Arc::new(Herd::new(number, callers));
    // A thread that ends while others have still to wake keeps a processor busy.
    let all_back = Barrier::new(callers);
    thread::scope(|scope| {
        for _ in 0..callers {
            scope.spawn(|| {
                herd.call();
                contender.call(&herd);
                herd.return_to_caller();
                all_back.wait();
            });
        }
    });
    Outcome::of(&herd)
}

/// The floor: threads parked and unparked one by one, by the first of them.
#[derive(Default)]
struct List {
    /// The number of the last herd that has a creator, and of the last one that was woken.
    led: AtomicUsize,
    woken: AtomicUsize,
    parked: Mutex<Vec<Thread>>,
}

impl List {
    fn parked(&self) -> impl std::ops::DerefMut<Target = Vec<Thread>> {
        self.parked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_woken(&self, herd: &Herd) -> bool {
        self.woken.load(Ordering::Acquire) == herd.number
    }
}

impl Contender for List {
    fn name(&self) -> &'static str {
        "unparked list"
    }

    fn call(&self, herd: &Arc<Herd>) {
        if self.led.swap(herd.number, Ordering::Relaxed) != herd.number {
            black_box(herd.create());
            self.woken.store(herd.number, Ordering::Release);
            let parked = std::mem::take(&mut *self.parked());
            for thread in parked {
                thread.unpark();
            }
            return;
        }
        self.parked().push(thread::current());
        while !self.is_woken(herd) {
            thread::park();
        }
    }
}

/// A peer of the other benchmarks.
struct Named<P>(&'static str, P);

impl<P: Peer<Blob>> Contender for Named<P> {
    fn name(&self) -> &'static str {
        self.0
    }

    fn call(&self, herd: &Arc<Herd>) {
        black_box(self.1.get_or_create(&herd.key, || herd.create()));
    }
}

/// foyer has asynchronous callers only: each thread blocks on its own call, the creator runs on the runtime.
struct OnRuntime(Foyer, Handle);

impl Contender for OnRuntime {
    fn name(&self) -> &'static str {
        "foyer"
    }

    fn call(&self, herd: &Arc<Herd>) {
        black_box(self.1.block_on(self.0.get_or_create(herd)));
    }
}
