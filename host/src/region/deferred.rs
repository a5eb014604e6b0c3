//! Creations that are put off to a thread or a task of their own.

use std::any::Any;
use std::future::{Ready, poll_fn};
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::pin;
use std::task::Poll;
use std::time::Instant;

use dogpile_lock::{Blocking, LockError, Retry, shown};
use dogpile_plugin_api::Value;

use super::Region;
use super::call::Call;
use super::creating::{Creating, Goal};
use super::form::Form;
use super::goal::Once;
use super::keep::{Keep, Rule};
use super::key_mutex::KeyTurn;
use super::mangle::BackendKey;
use super::notes::notes;
use super::read::{expiration_time, jittered};
use super::way::Way;
use crate::instance::Failure;
use crate::jitter::shortened;
use crate::slot::{Count, Creation, Work};
use crate::{Error, ErrorKind, Result};

/// A creation that may be put off.
pub(super) struct Deferred<'a, T, F, C, R, W> {
    region: &'a Region,
    key: &'a str,
    call: &'a Call<'a>,
    /// None once it was put off.
    once: Option<Once<C, R>>,
    types: PhantomData<fn() -> (T, F)>,
    whither: PhantomData<W>,
}

/// Where creations are put off to.
pub(super) trait Whither<T, F, C, R> {
    /// Whether a stale value is enough to put one off.
    fn takes(region: &Region) -> bool;

    /// Takes it, or gives it up, and counts it.
    fn take(job: Job<C, R>);
}

/// Another thread: the region's runner, or the host's pool.
pub(super) struct Thread;

impl<T, F, C, R> Whither<T, F, C, R> for Thread
where
    T: Send + Sync + 'static,
    F: Form<T>,
    C: FnOnce() -> Ready<Result<T>> + Send + 'static,
    R: Rule<T> + Send + 'static,
{
    fn takes(region: &Region) -> bool {
        region.slot().runner.read().is_some() || region.refreshes_in_background()
    }

    fn take(job: Job<C, R>) {
        let (region, key) = (job.region.clone(), job.key.clone());
        let runner = region.slot().runner.read().clone();
        let run = Box::new(move || Blocking::new().on(job.run::<T, F, _>(Way::Here)));
        if let Some(runner) = runner {
            runner(Creation::new(region.name(), &key, Work::Call(run)));
        } else if region.engine.refreshes.submit(run).is_err() {
            region.slot().stats.count(Count::RefusedRefresh);
            tracing::debug!(
                target: "dogpile.cache", region = region.name(), key = shown(&key),
                "too many creations wait for a thread, the old value stays"
            );
        }
    }
}

/// A task: by the region's runner, or the program's spawner.
pub(super) struct Task;

impl<T, F, C, Made, R> Whither<T, F, C, R> for Task
where
    T: Send + Sync + 'static,
    F: Form<T>,
    C: FnOnce() -> Made + Send + 'static,
    Made: Future<Output = Result<T>> + Send + 'static,
    R: Rule<T> + Send + Sync + 'static,
{
    fn takes(region: &Region) -> bool {
        let has_spawner = region.engine.spawner.is_some();
        region.slot().runner.read().is_some() || has_spawner && region.refreshes_in_background()
    }

    fn take(job: Job<C, R>) {
        let (region, key) = (job.region.clone(), job.key.clone());
        let runner = region.slot().runner.read().clone();
        let spawner = region.engine.spawner.clone();
        let run = Box::pin(job.run::<T, F, _>(Way::Pool));
        if let Some(runner) = runner {
            runner(Creation::new(region.name(), &key, Work::Future(run)));
        } else if let Some(spawner) = spawner {
            spawner(run);
        }
    }
}

impl<T, F, C, Made, R, W> Goal<T> for Deferred<'_, T, F, C, R, W>
where
    C: FnOnce() -> Made,
    Made: Future<Output = Result<T>>,
    R: Rule<T>,
    W: Whither<T, F, C, R>,
{
    fn create(&mut self) -> impl Future<Output = Result<T>> {
        let once = self.once.as_mut();
        once.expect("what was put off is not created here").create()
    }

    fn keep(&self, value: &T) -> Keep {
        let once = self.once.as_ref();
        once.map_or(Keep::No, |once| once.keep(value))
    }

    fn take_away(&mut self, turn: KeyTurn) -> Option<KeyTurn> {
        if !W::takes(self.region) {
            return Some(turn);
        }
        self.put_off(turn, 0);
        None
    }
}

impl<'a, T, F, C, R, W: Whither<T, F, C, R>> Deferred<'a, T, F, C, R, W> {
    pub(super) fn new(
        region: &'a Region,
        key: &'a str,
        call: &'a Call<'a>,
        once: Once<C, R>,
    ) -> Self {
        Self {
            region,
            key,
            call,
            once: Some(once),
            types: PhantomData,
            whither: PhantomData,
        }
    }

    /// Creates in the background if the value is fresh for not much longer.
    pub(super) fn refresh_early(&mut self, value: &Value) -> Result<()> {
        let region = self.region.current()?;
        let Some(share) = region.config.early_refresh else {
            return Ok(());
        };
        let created = value.metadata().created;
        let own = notes(value).expiration_time;
        let key = BackendKey::new(&region, self.key)?;
        let time = expiration_time(&region, self.call.expiration_time, own);
        let time = jittered(&region, time, created, key.hash());
        let age = self.region.clock().coarse().saturating_sub(created);
        if time == u64::MAX || age <= shortened(time, 1.0 - share) {
            return Ok(());
        }
        if let Some(turn) = region.instance.creations.try_turn(key.hash(), key.text()) {
            self.put_off(turn, created);
        }
        Ok(())
    }

    /// Whoever asked for it has a value: a creation that failed lately is left alone, whatever `stale_if_error` says.
    fn put_off(&mut self, turn: KeyTurn, newer_than: u64) {
        if turn.has_failed_lately(self.region.clock()) {
            return;
        }
        if let Some(once) = self.once.take() {
            W::take(Job {
                region: self.region.clone(),
                key: self.key.to_owned(),
                call: self.call.to_owned(),
                goal: PutOff { once, newer_than },
                turn,
            });
        }
    }
}

/// A creation that was put off, with the turn of a caller that has gone.
pub(super) struct Job<C, R> {
    region: Region,
    key: String,
    call: Call<'static>,
    goal: PutOff<C, R>,
    turn: KeyTurn,
}

impl<C, R> Job<C, R> {
    async fn run<T, F, Made>(self, way: Way)
    where
        T: Send + Sync + 'static,
        F: Form<T>,
        C: FnOnce() -> Made,
        Made: Future<Output = Result<T>>,
        R: Rule<T>,
    {
        let Self {
            region,
            key,
            call,
            mut goal,
            turn,
        } = self;
        let run = async {
            let current = region.current()?;
            let backend_key = BackendKey::new(&current, &key)?;
            // Not those of the region's instance, which may be another one by now: then nothing is created.
            let creations = turn.flights().clone();
            let retry = Retry {
                after: current.config.retry_after,
                clock: region.clock(),
            };
            drop(current);
            let mut creating = Creating::<T, F, _>::new(
                &region,
                &creations,
                &key,
                &backend_key,
                &call,
                &mut goal,
                way,
            );
            let created = turn.run(&mut creating, Some(retry)).await;
            match created {
                Err(LockError::Creation(Failure::Replaced)) => {
                    tracing::debug!(
                        target: "dogpile.cache", region = region.name(), key = shown(&key),
                        "the region was given another instance, not created in the background"
                    );
                    Ok(())
                }
                // Who has the turn waits for nobody.
                created => created
                    .map(drop)
                    .map_err(|error| region.failed(error, None, Instant::now())),
            }
        };
        let failed = |error: Error| {
            tracing::warn!(
                target: "dogpile.cache", region = region.name(), key = shown(&key), %error,
                "a creation in the background failed"
            );
        };
        match caught(run).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => failed(error),
            Err(panic) => {
                let message = format!("the creator panicked: {}", text(&*panic));
                failed(region.ended(Error::new(ErrorKind::Creator, message)));
                resume_unwind(panic)
            }
        }
    }
}

/// What the future gives, or its panic.
async fn caught<T>(future: impl Future<Output = T>) -> Result<T, Box<dyn Any + Send>> {
    let mut future = pin!(future);
    poll_fn(
        |context| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context))) {
            Ok(poll) => poll.map(Ok),
            Err(panic) => Poll::Ready(Err(panic)),
        },
    )
    .await
}

/// What a panic says.
fn text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("(no message)")
}

/// What is wanted of a creation that was put off.
struct PutOff<C, R> {
    once: Once<C, R>,
    newer_than: u64,
}

impl<T, C, F, R> Goal<T> for PutOff<C, R>
where
    C: FnOnce() -> F,
    F: Future<Output = Result<T>>,
    R: Rule<T>,
{
    fn create(&mut self) -> impl Future<Output = Result<T>> {
        self.once.create()
    }

    fn keep(&self, value: &T) -> Keep {
        self.once.keep(value)
    }

    fn newer_than(&self) -> u64 {
        self.newer_than
    }
}
