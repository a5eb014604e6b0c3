//! Calls for several keys.

use crate::world::{AtWork, HASH, KEYS, KeyTurn, Leave, Mood, Terms, World, act};
use dogpile_lock::{
    Acquired, LockError, ManyMade, MultiOperation, MultiRequest, OrLeftOut, Outcome, Reading,
    Retry, ToStore,
};
use std::time::Duration;

pub(crate) type ManyGotten = Result<Vec<OrLeftOut<Outcome<usize>, String>>, LockError<String>>;

/// What a creator of several keys does with each: its mood, or `None` to leave it out.
pub(crate) type Moods = Result<Vec<Option<Mood>>, String>;

/// Its creator is given the keys, and the number of the creation of each.
struct MultiCall<'a, F> {
    world: &'a World,
    keys: &'a [usize],
    /// What cannot be read again.
    unreadable: Option<usize>,
    creator: F,
}

impl<F: AsyncFnMut(&[(usize, usize)]) -> Moods> MultiOperation for MultiCall<'_, F> {
    type Value = usize;
    type Error = String;
    type Lease = Leave;

    async fn acquire(&mut self, _: usize) -> Result<Acquired<Leave>, String> {
        Ok(self.world.elsewhere.acquire())
    }

    fn watch(&mut self, _: usize, turn: KeyTurn) {
        self.world.watched.lock().unwrap().push(turn);
    }

    async fn read_again(&mut self, numbers: &[usize]) -> Vec<Result<Reading<usize>, String>> {
        let keys = numbers.iter().map(|at| self.keys[*at]);
        keys.map(|key| {
            if self.unreadable == Some(key) {
                return Err("unreadable".to_owned());
            }
            Ok(self.world.stores[key].read())
        })
        .collect()
    }

    async fn create(&mut self, numbers: &[usize]) -> ManyMade<usize, String> {
        let world = self.world;
        let stores: Vec<_> = numbers
            .iter()
            .map(|at| &world.stores[self.keys[*at]])
            .collect();
        let _at_work: Vec<_> = stores.iter().map(|store| AtWork::on(store)).collect();
        let begun: Vec<_> = stores.iter().map(|store| store.begin()).collect();
        let keys = numbers.iter().map(|at| self.keys[*at]);
        let creations: Vec<_> = keys.zip(begun.iter().map(|begun| begun.0)).collect();
        let moods = (self.creator)(&creations).await?;
        let mut values = Vec::new();
        for (mood, (creation, value)) in moods.into_iter().zip(begun) {
            values.push(match mood {
                None => Err("left out".to_owned()),
                Some(mood) => {
                    act(mood, creation)?;
                    Ok(value)
                }
            });
        }
        Ok(values)
    }

    async fn store(
        &mut self,
        values: Vec<ToStore<'_, usize, String, Leave>>,
    ) -> Vec<Result<(), String>> {
        let store = |value: ToStore<'_, usize, String, Leave>| {
            let store = &self.world.stores[self.keys[value.number]];
            value.storing.run(|| store.write(*value.value));
            Ok(())
        };
        values.into_iter().map(store).collect()
    }
}

pub(crate) async fn makes_all(keys: &[(usize, usize)]) -> Moods {
    Ok(keys.iter().map(|_| Some(Mood::Makes)).collect())
}

impl World {
    /// A call for several keys that blocks.
    pub(crate) fn call_multi(
        &self,
        keys: &[usize],
        terms: &Terms,
        creator: impl AsyncFnMut(&[(usize, usize)]) -> Moods,
    ) -> ManyGotten {
        let request = MultiRequest {
            keys: keys
                .iter()
                .map(|key| (HASH, KEYS[*key], self.stores[*key].read()))
                .collect(),
            wait: terms.wait,
            retry: terms.retry.as_ref().map(|clock| Retry {
                after: Duration::from_secs(1),
                clock,
            }),
        };
        let mut operation = MultiCall {
            world: self,
            keys,
            unreadable: terms.unreadable,
            creator,
        };
        self.flights.get_or_create_multi(request, &mut operation)
    }
}
