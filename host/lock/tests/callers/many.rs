//! A caller of several keys.

use crate::support::{HASH, Store, Table};
use dogpile_lock::{
    Acquired, LockError, ManyMade, MultiOperation, MultiRequest, OrLeftOut, Outcome, Reading,
    Source, ToStore,
};
use std::time::Duration;

pub(crate) type ManyGotten = Result<Vec<OrLeftOut<Outcome<u64>, String>>, LockError<String>>;
pub(crate) type Values = ManyMade<u64, String>;

/// Where a key fails.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Fault {
    Mutex,
    Read,
    Store,
}

/// Keys with their stores; the creator is given the numbers of the keys.
pub(crate) struct Many<'a, C> {
    pub(crate) keys: &'a [(&'a str, &'a Store)],
    pub(crate) creator: C,
    /// Of the key with that number, and what comes before it.
    pub(crate) fault: Option<(usize, Fault, &'a dyn Fn())>,
}

impl<C> Many<'_, C> {
    fn meets(&self, number: usize, fault: Fault) -> Result<(), String> {
        match self.fault {
            Some((at, met, before)) if (at, met) == (number, fault) => {
                before();
                Err(format!("no {fault:?}"))
            }
            _ => Ok(()),
        }
    }
}

pub(crate) const LEFT_OUT: &str = "left out";

/// An error that a call of several keys disregards when it is another's.
pub(crate) const OUTDATED: &str = "outdated";

pub(crate) fn left_out<T>() -> OrLeftOut<T, String> {
    Err(LEFT_OUT.to_owned())
}

impl<C: AsyncFnMut(&[usize]) -> Values> MultiOperation for Many<'_, C> {
    type Value = u64;
    type Error = String;
    type Lease = ();

    async fn acquire(&mut self, number: usize) -> Result<Acquired<()>, String> {
        self.meets(number, Fault::Mutex)?;
        Ok(Acquired::Unneeded)
    }

    async fn read_again(&mut self, numbers: &[usize]) -> Vec<Result<Reading<u64>, String>> {
        let read = |at: &usize| {
            self.meets(*at, Fault::Read)?;
            Ok(self.keys[*at].1.read())
        };
        numbers.iter().map(read).collect()
    }

    async fn create(&mut self, numbers: &[usize]) -> Values {
        (self.creator)(numbers).await
    }

    async fn store(
        &mut self,
        values: Vec<ToStore<'_, u64, String, ()>>,
    ) -> Vec<Result<(), String>> {
        let store = |value: ToStore<'_, u64, String, ()>| {
            self.meets(value.number, Fault::Store)?;
            let store = self.keys[value.number].1;
            value.storing.run(|| store.write(*value.value));
            Ok(())
        };
        values.into_iter().map(store).collect()
    }

    fn disregards(&self, error: &String) -> bool {
        error == OUTDATED
    }
}

pub(crate) fn request<'a>(
    keys: &[(&'a str, &Store)],
    wait: Option<Duration>,
) -> MultiRequest<'a, u64> {
    MultiRequest {
        keys: keys
            .iter()
            .map(|(key, store)| (HASH, *key, store.read()))
            .collect(),
        wait,
        retry: None,
    }
}

/// A call that blocks, with a creator that does.
pub(crate) fn call_many(
    flights: &Table,
    keys: &[(&str, &Store)],
    wait: Option<Duration>,
    mut creator: impl FnMut(&[usize]) -> Values,
) -> ManyGotten {
    let mut many = Many {
        keys,
        creator: async |numbers: &[usize]| creator(numbers),
        fault: None,
    };
    flights.get_or_create_multi(request(keys, wait), &mut many)
}

#[expect(clippy::unnecessary_wraps, reason = "as creators give it")]
pub(crate) fn made(keys: &[(&str, &Store)], numbers: &[usize]) -> Values {
    Ok(numbers.iter().map(|at| Ok(keys[*at].1.number())).collect())
}

pub(crate) fn sources(gotten: &ManyGotten) -> Vec<Option<Source>> {
    let gotten = gotten.as_ref().unwrap().iter();
    let source = |got: &OrLeftOut<Outcome<u64>, String>| match got {
        Ok(got) => Some(got.source),
        Err(why) => {
            assert_eq!(why, LEFT_OUT);
            None
        }
    };
    gotten.map(source).collect()
}
