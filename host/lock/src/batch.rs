//! The turns of several keys that one caller has at once.

use crate::error::LockError;
use crate::flight::Ending;
use crate::multi::{MultiOperation, MultiPassage, OrLeftOut, ToStore, Turns, Waits};
use crate::operation::{Acquired, Outcome, Reading, Source};
use crate::passage::Seen;
use crate::scope::{self, Caught, Owner};
use tracing::debug;

/// What became of a key whose turn was used.
enum Made<V, E> {
    To(V, Source),
    LeftOut(E),
    Failed(E),
}

/// Turns that are used together.
pub(crate) struct Batch<O: MultiOperation> {
    turns: Turns<O>,
    /// Of each turn: what it came to, once that is known.
    made: Vec<Option<Made<O::Value, O::Error>>>,
}

impl<O: MultiOperation> Batch<O> {
    pub(crate) fn new(turns: Turns<O>) -> Self {
        let made = turns.iter().map(|_| None).collect();
        Self { turns, made }
    }

    /// The places, here, of those which have come to nothing yet; none if the call ends with an error, whatever they
    /// would come to.
    fn open(&self, passage: &MultiPassage<'_, '_, O>) -> Vec<usize> {
        let mut open = Vec::new();
        for (at, made) in self.made.iter().enumerate() {
            match made {
                None => open.push(at),
                Some(Made::Failed(error)) => {
                    let place = &passage.places[self.turns[at].0];
                    if !place.seen.stands_in(O::is_excused(error)) {
                        return Vec::new();
                    }
                }
                Some(Made::To(..) | Made::LeftOut(_)) => {}
            }
        }
        open
    }

    fn numbers(&self, places: &[usize]) -> Vec<usize> {
        places.iter().map(|at| self.turns[*at].0).collect()
    }

    /// Reads again, creates what is still needed, and stores it.
    pub(crate) async fn make(&mut self, passage: &mut MultiPassage<'_, '_, O>) {
        for (_, turn) in &mut self.turns {
            turn.begin();
        }
        let open = self.open(passage);
        if open.is_empty() {
            return;
        }
        let numbers = self.numbers(&open);
        let readings = passage.operation.read_again(&numbers).await;
        assert_eq!(readings.len(), numbers.len(), "as many readings as numbers");
        for (at, reading) in open.into_iter().zip(readings) {
            let seen = match reading {
                Ok(Reading::Unknown) => continue,
                Ok(reading) => Seen::of(reading),
                Err(error) => {
                    self.made[at] = Some(Made::Failed(error));
                    continue;
                }
            };
            match seen {
                Err(value) => self.made[at] = Some(Made::To(value, Source::Fresh)),
                Ok(seen) => passage.places[self.turns[at].0].seen.now(seen),
            }
        }
        let needed = self.open(passage);
        if needed.is_empty() {
            return;
        }
        let numbers = self.numbers(&needed);
        debug!(target: "dogpile.lock", keys = numbers.len(), "creating the values");
        match passage.operation.create(&numbers).await {
            Err(error) => {
                for at in needed {
                    self.made[at] = Some(Made::Failed(error.clone()));
                }
            }
            Ok(values) => self.store(passage, needed, values).await,
        }
    }

    /// Stores what was created at those places.
    async fn store(
        &mut self,
        passage: &mut MultiPassage<'_, '_, O>,
        needed: Vec<usize>,
        values: Vec<OrLeftOut<O::Value, O::Error>>,
    ) {
        assert_eq!(values.len(), needed.len(), "as many values as numbers");
        let (mut stored, mut to_store) = (Vec::new(), Vec::new());
        for (at, value) in needed.into_iter().zip(&values) {
            self.made[at] = Some(match value {
                Ok(value) => Made::To(value.clone(), Source::Created),
                Err(why) => Made::LeftOut(why.clone()),
            });
            let (number, turn) = &self.turns[at];
            if let Ok(value) = value {
                stored.push(at);
                to_store.push(ToStore {
                    number: *number,
                    value,
                    storing: turn.storing(),
                    lease: turn.lease(),
                });
            }
        }
        let outcomes = passage.operation.store(to_store).await;
        assert_eq!(outcomes.len(), stored.len(), "as many outcomes as values");
        for (at, outcome) in stored.into_iter().zip(outcomes) {
            if let Err(error) = outcome {
                self.made[at] = Some(Made::Failed(error));
            }
        }
    }

    /// Puts those keys aside that another process has the right to create.
    pub(crate) async fn acquire<'f>(
        &mut self,
        passage: &mut MultiPassage<'f, '_, O>,
        owner: Owner,
        waits: &mut Waits<'f, O>,
    ) -> Result<(), Caught> {
        let mut at = 0;
        while at < self.turns.len() {
            let (number, turn) = &mut self.turns[at];
            let number = *number;
            if turn.lease().is_none_or(O::is_lost) {
                drop(turn.take_lease());
                match scope::within(owner, passage.operation.acquire(number)).await? {
                    Err(error) => {
                        self.made[at] = Some(Made::Failed(error));
                        if self.open(passage).is_empty() {
                            break;
                        }
                    }
                    Ok(Acquired::Unneeded) => {}
                    Ok(Acquired::Held(lease)) => turn.give_lease(lease),
                    Ok(Acquired::Elsewhere) => {
                        let (_, mut turn) = self.turns.remove(at);
                        self.made.remove(at);
                        let place = &mut passage.places[number];
                        place.refused = true;
                        let waiting =
                            turn.step_aside(passage.flights, place.seen.serves_meanwhile());
                        match waiting {
                            Some(mut waiting) => {
                                let none = waiting.rest();
                                debug_assert!(none.is_none(), "the turn is in hand");
                                waits.push((number, waiting));
                            }
                            None => place.outcome = Some(Ok(place.seen.serve())),
                        }
                        passage.operation.watch(number, turn);
                        continue;
                    }
                }
            }
            at += 1;
        }
        Ok(())
    }

    pub(crate) fn take_leases(&mut self) -> Vec<(usize, O::Lease)> {
        let turns = self.turns.iter_mut();
        turns
            .filter_map(|(number, turn)| Some((*number, turn.take_lease()?)))
            .collect()
    }

    /// Ends the flights. Those which came to nothing, as the call ends with an error, are handed over.
    pub(crate) fn end(
        self,
        passage: &mut MultiPassage<'_, '_, O>,
    ) -> Result<(), LockError<O::Error>> {
        let mut result = Ok(());
        for ((number, turn), made) in self.turns.into_iter().zip(self.made) {
            let place = &mut passage.places[number];
            match made {
                None => drop(turn),
                Some(Made::To(value, source)) => {
                    turn.succeed(&value, passage.retry);
                    place.outcome = Some(Ok(Outcome { value, source }));
                }
                Some(Made::LeftOut(why)) => {
                    turn.end(|| Ending::LeftOut(why.clone()));
                    place.outcome = Some(Err(why));
                }
                Some(Made::Failed(error)) => {
                    let excused = O::is_excused(&error);
                    turn.fail(&error, passage.retry.filter(|_| excused));
                    match place.seen.or_error(place.key, error, excused) {
                        Ok(outcome) => place.outcome = Some(Ok(outcome)),
                        Err(error) => result = result.and(Err(error)),
                    }
                }
            }
        }
        result
    }
}
