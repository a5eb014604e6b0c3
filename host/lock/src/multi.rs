//! The way of one caller to the values of several keys.

use crate::batch::Batch;
use crate::block::Blocking;
use crate::error::LockError;
use crate::failures::Retry;
use crate::flights::{Entered, Flights};
use crate::operation::{Acquired, Outcome, Reading, Source};
use crate::passage::{Ended, Seen, ending};
use crate::scope::{self, Caught, Owner};
use crate::shown::{all_shown, shown};
use crate::storing::Storing;
use crate::turn::Turn;
use crate::waiting::{Patience, Waited, Waiting, first_of};
use std::pin::pin;
use std::time::Duration;
use tracing::debug;

/// What one caller asks for, of several keys.
#[derive(Clone, Debug)]
pub struct MultiRequest<'a, V> {
    /// Each key with its hash, and what the caller's own first read gave. No key twice.
    pub keys: Vec<(u64, &'a str, Reading<V>)>,
    /// How long it waits for others, counted from when it begins to. `None`: for as long as it takes.
    pub wait: Option<Duration>,
    /// Whether a failed creation is left alone for a while. `None`: the next call tries again.
    pub retry: Option<Retry<'a>>,
}

/// One of several values to be stored: the key's number in the request, and as for [`crate::Operation::store`].
#[derive(Debug)]
pub struct ToStore<'a, V, E, L> {
    /// The number of the key in the request.
    pub number: usize,
    /// The value.
    pub value: &'a V,
    /// Within [`Storing::run`] it is stored.
    pub storing: Storing<V, E, L>,
    /// The right to create, if one was needed.
    pub lease: Option<&'a L>,
}

/// What a creator of several keys made of one: a value; or that it left it out, with what is told of that to whoever
/// waited for it. To a call a key comes also with an error that it [disregards](MultiOperation::disregards).
pub type OrLeftOut<V, E> = Result<V, E>;

/// Those of several keys, in their order; or why its creator made nothing at all.
pub type ManyMade<V, E> = Result<Vec<OrLeftOut<V, E>>, E>;

/// How one caller reads, creates and stores the values of several keys, which it knows by their numbers in the request.
/// As [`Operation`](crate::Operation), whose words say the rest. An error of one key is nothing to the others, nor to who
/// waits for them; but once the call must end with an error, it creates nothing more.
pub trait MultiOperation {
    /// What is cached.
    type Value: Clone;
    /// Why it could not be read or created.
    type Error: Clone;
    /// The right to create that other processes respect.
    type Lease;

    /// Asks for the right to create one key, without waiting. Default: none is needed.
    fn acquire(
        &mut self,
        number: usize,
    ) -> impl Future<Output = Result<Acquired<Self::Lease>, Self::Error>> {
        let _ = number;
        async { Ok(Acquired::Unneeded) }
    }

    /// See [`Operation::watch`](crate::Operation::watch).
    fn watch(&mut self, number: usize, turn: Turn<Self::Value, Self::Error, Self::Lease>) {
        let _ = number;
        drop(turn);
    }

    /// Reads once more, with the turns in hand: as many readings as numbers, in their order.
    fn read_again(
        &mut self,
        numbers: &[usize],
    ) -> impl Future<Output = Vec<Result<Reading<Self::Value>, Self::Error>>>;

    /// Creates values: as many as numbers, in their order. Called again for keys whose creator gave up meanwhile.
    fn create(
        &mut self,
        numbers: &[usize],
    ) -> impl Future<Output = ManyMade<Self::Value, Self::Error>>;

    /// Stores the values: as many outcomes, in their order.
    fn store(
        &mut self,
        values: Vec<ToStore<'_, Self::Value, Self::Error, Self::Lease>>,
    ) -> impl Future<Output = Vec<Result<(), Self::Error>>>;

    /// See [`Operation::is_excused`](crate::Operation::is_excused).
    fn is_excused(error: &Self::Error) -> bool {
        let _ = error;
        true
    }

    /// Whether the error of another's creation is none of this call's, which goes on: the key comes to that error, as if it
    /// was left out. Default: it is the call's own.
    fn disregards(&self, error: &Self::Error) -> bool {
        let _ = error;
        false
    }

    /// Whether that lease is known to have passed. See [`Operation::is_lost`](crate::Operation::is_lost).
    fn is_lost(lease: &Self::Lease) -> bool {
        let _ = lease;
        false
    }

    /// Gives rights back. Default: the leases are dropped.
    fn release(&mut self, leases: Vec<(usize, Self::Lease)>) -> impl Future<Output = ()> {
        drop(leases);
        async {}
    }
}

/// One key of the request, on its way.
pub(crate) struct Place<'a, V, E> {
    hash: u64,
    pub(crate) key: &'a str,
    pub(crate) seen: Seen<V>,
    pub(crate) outcome: Option<OrLeftOut<Outcome<V>, E>>,
    /// Another process has had the right to create it.
    pub(crate) refused: bool,
}

pub(crate) type Turns<O> = Vec<(
    usize,
    Turn<<O as MultiOperation>::Value, <O as MultiOperation>::Error, <O as MultiOperation>::Lease>,
)>;
pub(crate) type Waits<'f, O> = Vec<(
    usize,
    Waiting<
        'f,
        <O as MultiOperation>::Value,
        <O as MultiOperation>::Error,
        <O as MultiOperation>::Lease,
    >,
)>;

impl<V: Clone, E: Clone, L> Flights<V, E, L> {
    /// The passage of one caller with several keys, which blocks its thread: the promises of [`Flights::get_or_create`]
    /// key by key. Keys are taken in the order of the request. All that are free are created in one call of the creator,
    /// before the caller waits for what others create, so it never holds one key while it waits for another; nor is it
    /// given one while it creates.
    ///
    /// # Errors
    /// As there, for the whole request, if one of its keys gets neither value nor stand-in: with the error of the first such
    /// key. Who waits for the others does not get it: what has been created is stored all the same, and what has not is
    /// handed over.
    ///
    /// # Panics
    /// With the operation's own panic only, and if it does not give as many as it was asked for.
    pub fn get_or_create_multi<O: MultiOperation<Value = V, Error = E, Lease = L>>(
        &self,
        request: MultiRequest<'_, V>,
        operation: &mut O,
    ) -> Result<Vec<OrLeftOut<Outcome<V>, E>>, LockError<E>> {
        let blocking = Blocking::new();
        let timer = |wait| blocking.deadline(wait);
        blocking.on(self.get_or_create_multi_async(request, operation, timer))
    }

    /// The passage of one caller with several keys, as a future. See [`Flights::get_or_create_async`].
    ///
    /// # Errors
    /// As [`Flights::get_or_create_multi`].
    pub async fn get_or_create_multi_async<O, S>(
        &self,
        request: MultiRequest<'_, V>,
        operation: &mut O,
        timer: impl FnOnce(Duration) -> S,
    ) -> Result<Vec<OrLeftOut<Outcome<V>, E>>, LockError<E>>
    where
        O: MultiOperation<Value = V, Error = E, Lease = L>,
        S: Future<Output = ()>,
    {
        let MultiRequest { keys, wait, retry } = request;
        let mut passage = MultiPassage {
            flights: self,
            operation,
            retry,
            places: keys.into_iter().map(Place::new).collect(),
        };
        let mut timer = pin!(wait.map(timer));
        let mut patience = Patience::new(timer.as_mut().as_pin_mut());
        let (mut turns, mut waits) = (Vec::new(), Vec::new());
        for number in 0..passage.places.len() {
            passage.enter(number, &mut turns, &mut waits)?;
        }
        loop {
            if let Err(caught) = passage.use_turns(turns, &mut waits).await? {
                drop(waits);
                caught.resume()
            }
            if waits.is_empty() {
                return Ok(passage.places.into_iter().map(Place::end).collect());
            }
            turns = Vec::new();
            let (number, waited) = first_of(&mut waits, &mut patience).await;
            passage.came_out(number, waited, wait, &mut turns, &mut waits)?;
            // It was refused, and is to ask again: that is no end of its wait.
            let asks_again = turns
                .iter()
                .any(|(number, turn)| passage.places[*number].refused && turn.lease().is_none());
            if asks_again && patience.is_over_by_now().await {
                return Err(LockError::TimedOut(wait.unwrap_or_default()));
            }
        }
    }
}

pub(crate) struct MultiPassage<'a, 'k, O: MultiOperation> {
    pub(crate) flights: &'a Flights<O::Value, O::Error, O::Lease>,
    pub(crate) operation: &'a mut O,
    pub(crate) retry: Option<Retry<'k>>,
    pub(crate) places: Vec<Place<'k, O::Value, O::Error>>,
}

impl<'a, O: MultiOperation> MultiPassage<'a, '_, O> {
    /// Meets the table for one key that has no outcome yet.
    fn enter(
        &mut self,
        number: usize,
        turns: &mut Turns<O>,
        waits: &mut Waits<'a, O>,
    ) -> Result<(), LockError<O::Error>> {
        let place = &mut self.places[number];
        if place.outcome.is_some() {
            return Ok(());
        }
        let key = place.key;
        if self.flights.is_left_alone(key, &place.seen, self.retry) {
            place.outcome = Some(Ok(place.seen.serve()));
            return Ok(());
        }
        match self
            .flights
            .enter(place.hash, key, !place.seen.serves_meanwhile())
        {
            Entered::Turn(turn) => turns.push((number, turn)),
            Entered::Waiting(waiting) => {
                debug!(target: "dogpile.lock", key = shown(key), "no value, waiting while another creates it");
                waits.push((number, waiting));
            }
            Entered::Busy => {
                debug!(target: "dogpile.lock", key = shown(key), "another creates the value, serving the stale one");
                place.outcome = Some(Ok(place.seen.serve()));
            }
            Entered::Circle(keys) => {
                debug!(target: "dogpile.lock", key = shown(key), circle = ?all_shown(&keys), "waiting would close a circle");
                return Err(LockError::Circle(keys));
            }
        }
        Ok(())
    }

    /// One wait has come to an end.
    fn came_out(
        &mut self,
        number: usize,
        waited: Waited<'a, O::Value, O::Error, O::Lease>,
        wait: Option<Duration>,
        turns: &mut Turns<O>,
        waits: &mut Waits<'a, O>,
    ) -> Result<(), LockError<O::Error>> {
        let place = &mut self.places[number];
        match waited {
            Waited::Turn(turn) => turns.push((number, turn)),
            Waited::TimedOut => return Err(LockError::TimedOut(wait.unwrap_or_default())),
            Waited::Ended(waiting) => match ending(&waiting) {
                Ended::Value(value) => {
                    let source = Source::Waited;
                    place.outcome = Some(Ok(Outcome { value, source }));
                }
                Ended::Failed(error) => {
                    let excused = O::is_excused(&error);
                    let outcome = match place.seen.or_error(place.key, error, excused) {
                        Err(LockError::Creation(error)) if self.operation.disregards(&error) => {
                            Err(error)
                        }
                        outcome => Ok(outcome?),
                    };
                    place.outcome = Some(outcome);
                }
                Ended::LeftOut(why) => place.outcome = Some(Err(why)),
                Ended::Again => return self.enter(number, turns, waits),
            },
        }
        Ok(())
    }

    /// Creates all keys whose turn it has, at once, and ends their flights.
    ///
    /// Its waits rest meanwhile: a turn for one of them would lie about until the creator ends, and the creator itself
    /// may wait for that key.
    async fn use_turns(
        &mut self,
        mut turns: Turns<O>,
        waits: &mut Waits<'a, O>,
    ) -> Result<Result<(), Caught>, LockError<O::Error>> {
        self.drop_left_alone(&mut turns);
        if turns.is_empty() {
            return Ok(Ok(()));
        }
        let mut resting = Vec::new();
        for (number, mut waiting) in waits.drain(..) {
            match waiting.rest() {
                Some(turn) => turns.push((number, turn)),
                None => resting.push((number, waiting)),
            }
        }
        *waits = resting;
        // The creator of all of them: what it waits for, each of them waits for.
        let owner = Owner::new();
        for (_, turn) in &mut turns {
            turn.become_part_of(owner);
        }
        let mut batch = Batch::<O>::new(turns);
        let steps = async {
            batch.acquire(self, owner, waits).await?;
            scope::within(owner, batch.make(self)).await?;
            let leases = batch.take_leases();
            if !leases.is_empty() {
                scope::within(owner, self.operation.release(leases)).await?;
            }
            Ok(())
        };
        match steps.await {
            Ok(()) => batch.end(self).map(Ok),
            Err(caught) => {
                drop(batch);
                Ok(Err(caught))
            }
        }
    }

    /// Gives up turns for keys that have failed between the look at their entry and the turn.
    fn drop_left_alone(&mut self, turns: &mut Turns<O>) {
        turns.retain(|(number, _)| {
            let place = &mut self.places[*number];
            let alone = self
                .flights
                .is_left_alone(place.key, &place.seen, self.retry);
            if alone {
                place.outcome = Some(Ok(place.seen.serve()));
            }
            !alone
        });
    }
}

impl<'a, V, E> Place<'a, V, E> {
    fn new((hash, key, first): (u64, &'a str, Reading<V>)) -> Self {
        let (seen, outcome) = match Seen::of(first) {
            Ok(seen) => (seen, None),
            Err(value) => {
                let source = Source::Fresh;
                (Seen::nothing(), Some(Ok(Outcome { value, source })))
            }
        };
        Self {
            hash,
            key,
            seen,
            outcome,
            refused: false,
        }
    }

    fn end(self) -> OrLeftOut<Outcome<V>, E> {
        self.outcome.expect("each key has come to something")
    }
}
