//! The way of one caller to the value of one key.

use crate::block::Blocking;
use crate::error::LockError;
use crate::failures::Retry;
use crate::flight::Ending;
use crate::flights::{Entered, Flights};
use crate::operation::{Acquired, Operation, Outcome, Reading, Source};
use crate::scope;
use crate::shown::{all_shown, shown};
use crate::turn::Turn;
use crate::waiting::{Patience, Waited, Waiting, first_of};
use std::pin::pin;
use std::time::Duration;
use tracing::debug;

/// What one caller asks for.
#[derive(Clone, Debug)]
pub struct Request<'a, V> {
    /// The hash of the key.
    pub hash: u64,
    /// The key.
    pub key: &'a str,
    /// What the caller's own first read gave.
    pub first: Reading<V>,
    /// How long it waits for others, counted from when it begins to. `None`: for as long as it takes.
    pub wait: Option<Duration>,
    /// Whether a failed creation is left alone for a while. `None`: the next call tries again.
    pub retry: Option<Retry<'a>>,
}

impl<'a, V> Request<'a, V> {
    /// A request that waits for as long as it takes and tries again at once.
    pub fn new(hash: u64, key: &'a str, first: Reading<V>) -> Self {
        Self {
            hash,
            key,
            first,
            wait: None,
            retry: None,
        }
    }
}

/// What a caller has read and may be served.
pub(crate) struct Seen<V> {
    value: Option<V>,
    meanwhile: bool,
    on_error: bool,
    /// What was read before. It is not dropped while there is a turn: its own code may ask for the key.
    before: Vec<V>,
}

impl<V> Seen<V> {
    pub(crate) fn nothing() -> Self {
        Self {
            value: None,
            meanwhile: false,
            on_error: false,
            before: Vec::new(),
        }
    }

    /// It was read again.
    pub(crate) fn now(&mut self, now: Self) {
        self.before.extend(self.value.take());
        self.value = now.value;
        self.meanwhile = now.meanwhile;
        self.on_error = now.on_error;
    }

    /// Or the value itself, if it is fresh.
    pub(crate) fn of(reading: Reading<V>) -> Result<Self, V> {
        match reading {
            Reading::Fresh(value) => Err(value),
            Reading::Missing | Reading::Unknown => Ok(Self::nothing()),
            Reading::Stale {
                value,
                meanwhile,
                on_error,
            } => Ok(Self {
                value: Some(value),
                meanwhile,
                on_error,
                before: Vec::new(),
            }),
        }
    }

    pub(crate) fn serves_meanwhile(&self) -> bool {
        self.meanwhile && self.value.is_some()
    }

    pub(crate) fn serves_on_error(&self) -> bool {
        self.on_error && self.value.is_some()
    }

    /// The stale value, for who may be served it.
    pub(crate) fn serve(&mut self) -> Outcome<V> {
        let value = self.value.take().expect("there is a stale value");
        let source = Source::Stale;
        Outcome { value, source }
    }

    /// Whether there is a stale value that may stand in for an error, if that is excused.
    pub(crate) fn stands_in(&self, excused: bool) -> bool {
        excused && self.serves_on_error()
    }

    /// The stale value, or the error for which it may not stand in.
    pub(crate) fn or_error<E>(
        &mut self,
        key: &str,
        error: E,
        excused: bool,
    ) -> Result<Outcome<V>, LockError<E>> {
        if !self.stands_in(excused) {
            return Err(LockError::Creation(error));
        }
        debug!(target: "dogpile.lock", key = shown(key), "the creation failed, serving the stale value");
        Ok(self.serve())
    }
}

impl<V: Clone, E: Clone, L> Flights<V, E, L> {
    /// The passage of one caller, which blocks its thread.
    ///
    /// A fresh value is returned as it is. With a stale one that may be served meanwhile this never waits for others:
    /// the caller creates, or has the stale value back if another does. With none it waits until the creation under way
    /// ends and gets its result; or it creates. Whoever creates has read again first.
    ///
    /// # Errors
    /// [`LockError::Creation`] if the creation failed, this caller's or the one it waited for, and there is no value
    /// that may be served then; [`LockError::Circle`] instead of a wait that would never end; [`LockError::TimedOut`]
    /// after the request's wait.
    ///
    /// # Panics
    /// With the operation's own panic only.
    pub fn get_or_create<O: Operation<Value = V, Error = E, Lease = L>>(
        &self,
        request: Request<'_, V>,
        operation: &mut O,
    ) -> Result<Outcome<V>, LockError<E>> {
        let blocking = Blocking::new();
        blocking.on(self.get_or_create_async(request, operation, |wait| blocking.deadline(wait)))
    }

    /// The passage of one caller, as a future: for every runtime, and on the same flights as callers that block. To drop
    /// it hands the turn to the next, if it has it.
    ///
    /// `timer` gives a future that ends when that time has passed since its first poll; it is not polled again then.
    ///
    /// # Errors
    /// As [`Flights::get_or_create`].
    pub async fn get_or_create_async<O, S>(
        &self,
        request: Request<'_, V>,
        operation: &mut O,
        timer: impl FnOnce(Duration) -> S,
    ) -> Result<Outcome<V>, LockError<E>>
    where
        O: Operation<Value = V, Error = E, Lease = L>,
        S: Future<Output = ()>,
    {
        let Request {
            hash,
            key,
            first,
            wait,
            retry,
        } = request;
        let mut seen = match Seen::of(first) {
            Ok(seen) => seen,
            Err(value) => {
                let source = Source::Fresh;
                return Ok(Outcome { value, source });
            }
        };
        if self.is_left_alone(key, &seen, retry) {
            return Ok(seen.serve());
        }
        let mut timer = pin!(wait.map(timer));
        let mut patience = Patience::new(timer.as_mut().as_pin_mut());
        let mut entered = self.enter(hash, key, !seen.serves_meanwhile());
        let mut refused = false;
        loop {
            let waiting = match entered {
                Entered::Turn(turn) => {
                    // It may have failed between the look above and this turn.
                    if self.is_left_alone(key, &seen, retry) {
                        return Ok(seen.serve());
                    }
                    let turn = if seen.serves_meanwhile() {
                        match operation.take_away(turn) {
                            Some(turn) => turn,
                            None => return Ok(seen.serve()),
                        }
                    } else {
                        turn
                    };
                    match take(turn, operation, &mut seen, retry, None).await {
                        Taken::Done(Ok(outcome)) => return Ok(outcome),
                        Taken::Done(Err(error)) => {
                            let excused = O::is_excused(&error);
                            return seen.or_error(key, error, excused);
                        }
                        Taken::Elsewhere(mut turn) => {
                            let waiting = turn.step_aside(self, seen.serves_meanwhile());
                            operation.watch(turn);
                            refused = true;
                            match waiting {
                                Some(waiting) => waiting,
                                None => return Ok(seen.serve()),
                            }
                        }
                    }
                }
                Entered::Waiting(waiting) => waiting,
                Entered::Busy => {
                    debug!(target: "dogpile.lock", key = shown(key), "another creates the value, serving the stale one");
                    return Ok(seen.serve());
                }
                Entered::Circle(keys) => {
                    debug!(target: "dogpile.lock", key = shown(key), circle = ?all_shown(&keys), "waiting would close a circle");
                    return Err(LockError::Circle(keys));
                }
            };
            entered = match wait_for(key, waiting, &mut patience).await {
                Waited::Ended(waiting) => match ending(&waiting) {
                    Ended::Value(value) => {
                        let source = Source::Waited;
                        return Ok(Outcome { value, source });
                    }
                    Ended::Failed(error) => {
                        let excused = O::is_excused(&error);
                        return seen.or_error(key, error, excused);
                    }
                    Ended::LeftOut(_) | Ended::Again => {
                        self.enter(hash, key, !seen.serves_meanwhile())
                    }
                },
                // It was refused, and is to ask again: that is no end of its wait.
                Waited::Turn(turn)
                    if refused && turn.lease().is_none() && patience.is_over_by_now().await =>
                {
                    return Err(LockError::TimedOut(wait.unwrap_or_default()));
                }
                Waited::Turn(turn) => Entered::Turn(turn),
                Waited::TimedOut => return Err(LockError::TimedOut(wait.unwrap_or_default())),
            };
        }
    }
}

impl<V, E, L> Flights<V, E, L> {
    /// Whether the creation has failed lately, for a caller who has something to serve instead.
    pub(crate) fn is_left_alone(
        &self,
        key: &str,
        seen: &Seen<V>,
        retry: Option<Retry<'_>>,
    ) -> bool {
        let alone = seen.serves_on_error()
            && retry.is_some_and(|retry| self.failures().lock().is_recent(key, retry.clock));
        if alone {
            debug!(target: "dogpile.lock", key = shown(key), "the creation failed lately, serving the stale value");
        }
        alone
    }
}

/// One wait, logged.
async fn wait_for<'f, V, E, L, S: Future<Output = ()>>(
    key: &str,
    waiting: Waiting<'f, V, E, L>,
    patience: &mut Patience<'_, S>,
) -> Waited<'f, V, E, L> {
    debug!(target: "dogpile.lock", key = shown(key), "no value, waiting while another creates it");
    let (_, waited) = first_of(&mut vec![(0, waiting)], patience).await;
    let outcome = match &waited {
        Waited::Ended(..) => "the creation waited for has ended",
        Waited::Turn(_) => "the creator is gone, taking over",
        Waited::TimedOut => "waited too long",
    };
    debug!(target: "dogpile.lock", key = shown(key), "{outcome}");
    waited
}

/// What the creation of another gave.
pub(crate) enum Ended<V, E> {
    Value(V),
    Failed(E),
    LeftOut(E),
    /// Nothing for this caller, who enters again: it was abandoned, or a deletion came between its beginning and the
    /// caller's.
    Again,
}

/// For a caller that has waited.
pub(crate) fn ending<V: Clone, E: Clone, L>(waiting: &Waiting<'_, V, E, L>) -> Ended<V, E> {
    let (flight, since) = waiting.ending();
    let (ending, deletions) = flight.ending().expect("waited for");
    if *deletions < since {
        return Ended::Again;
    }
    match ending {
        Ending::Made(value) => Ended::Value(value.clone()),
        Ending::Failed(error) => Ended::Failed(error.clone()),
        Ending::LeftOut(why) => Ended::LeftOut(why.clone()),
        Ending::Abandoned => Ended::Again,
    }
}

/// What became of a turn.
pub(crate) enum Taken<V, E, L> {
    Done(Result<Outcome<V>, E>),
    /// Another process has the right to create.
    Elsewhere(Turn<V, E, L>),
}

/// Uses the turn: reads again, creates if still needed, stores, and ends the flight. A failure leaves the key alone as
/// `retry` says, a panic as `panicked` does.
pub(crate) async fn take<O: Operation>(
    mut turn: Turn<O::Value, O::Error, O::Lease>,
    operation: &mut O,
    seen: &mut Seen<O::Value>,
    retry: Option<Retry<'_>>,
    panicked: Option<Retry<'_>>,
) -> Taken<O::Value, O::Error, O::Lease> {
    let steps = scope::within(turn.owner(), async {
        let made = make(&mut turn, operation, seen).await;
        if let Some(lease) = turn.take_lease() {
            operation.release(lease).await;
        }
        made
    });
    let made = match steps.await {
        Ok(made) => made,
        Err(caught) => {
            turn.fall(panicked);
            caught.resume()
        }
    };
    match made {
        Ok(Some((value, source))) => {
            turn.succeed(&value, retry);
            Taken::Done(Ok(Outcome { value, source }))
        }
        Ok(None) => Taken::Elsewhere(turn),
        Err(error) => {
            turn.fail(&error, retry.filter(|_| O::is_excused(&error)));
            Taken::Done(Err(error))
        }
    }
}

/// `None` if another process has the right to create.
async fn make<O: Operation>(
    turn: &mut Turn<O::Value, O::Error, O::Lease>,
    operation: &mut O,
    seen: &mut Seen<O::Value>,
) -> Result<Option<(O::Value, Source)>, O::Error> {
    if turn.lease().is_none_or(O::is_lost) {
        drop(turn.take_lease());
        match operation.acquire().await? {
            Acquired::Unneeded => {}
            Acquired::Held(lease) => turn.give_lease(lease),
            Acquired::Elsewhere => return Ok(None),
        }
    }
    turn.begin();
    let reading = operation.read_again().await?;
    if !matches!(reading, Reading::Unknown) {
        match Seen::of(reading) {
            Err(value) => {
                debug!(target: "dogpile.lock", key = shown(turn.key()), "read again: a fresh value is there");
                return Ok(Some((value, Source::Fresh)));
            }
            Ok(now) => seen.now(now),
        }
    }
    debug!(target: "dogpile.lock", key = shown(turn.key()), "creating the value");
    let value = operation.create().await?;
    operation
        .store(&value, turn.storing(), turn.lease())
        .await?;
    Ok(Some((value, Source::Created)))
}
