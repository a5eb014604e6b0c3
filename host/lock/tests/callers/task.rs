//! Callers that are tasks.

use crate::support::{Gotten, HASH, Store, Table};
use dogpile_lock::{Operation, Reading, Request, Storing};
use std::time::Duration;

/// An operation whose creator is a future; the lock stores what it makes.
pub(crate) struct Task<'a, C> {
    pub(crate) store: &'a Store,
    pub(crate) creator: C,
}

impl<C, F> Operation for Task<'_, C>
where
    C: FnMut() -> F,
    F: Future<Output = Result<u64, String>>,
{
    type Value = u64;
    type Error = String;
    type Lease = ();

    async fn read_again(&mut self) -> Result<Reading<u64>, String> {
        Ok(self.store.read())
    }

    async fn create(&mut self) -> Result<u64, String> {
        (self.creator)().await
    }

    async fn store(
        &mut self,
        value: &u64,
        storing: Storing<u64, String>,
        _: Option<&()>,
    ) -> Result<(), String> {
        storing.run(|| self.store.write(*value));
        Ok(())
    }
}

/// One whole call as a task, without a deadline.
pub(crate) async fn call_task<F: Future<Output = Result<u64, String>>>(
    flights: &Table,
    key: &str,
    store: &Store,
    creator: impl FnMut() -> F,
) -> Gotten {
    let request = Request::new(HASH, key, store.read());
    let mut task = Task { store, creator };
    let passage = flights.get_or_create_async(request, &mut task, never);
    passage.await
}

/// The timer of who has all the time there is.
pub(crate) fn never(_: Duration) -> std::future::Pending<()> {
    std::future::pending()
}
