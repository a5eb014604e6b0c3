//! Storing under a lock that must still be held. A server does one thing at a time with one key, and a lock is another
//! key, perhaps on another server. So it is done in steps:
//!
//! 1. Look at what is stored, and at the lock: it must be held, and no deletion noted.
//! 2. Store, if what is stored has not changed since (compare-and-set, or `add` where nothing was): whoever stored
//!    meanwhile had the lock after us.
//! 3. Look at the lock again. If it was lost, or a deletion noted, remove what was stored, if it is still that.
//!
//! A deletion is noted before the value is removed. So one that is not seen in the third step removes what the second
//! stored. Between these two steps, which is as long as it takes to ask once, a reader may see what is removed then. If
//! this process ends just there, it stays.

use std::borrow::Cow;

use dogpile_plugin_api::{Error, Guarded, Result};

use crate::command::{Command, Reply, Store, When};
use crate::found::{Found, Standing, find_all};
use crate::servers::Call;

/// A value to be stored under a lock.
pub(crate) struct Entry<'e> {
    pub(crate) key: &'e str,
    /// The name of the lock.
    pub(crate) lock: String,
    /// Who must hold it.
    pub(crate) token: String,
    pub(crate) bytes: Cow<'e, [u8]>,
    pub(crate) flags: u32,
    pub(crate) ttl: u32,
}

/// So often what is stored may change between the first two steps. Those who change it do so without the lock.
const ROUNDS: usize = 8;

/// Stores all of them, each for itself.
pub(crate) fn store(call: &Call<'_>, entries: &[Entry<'_>]) -> Result<Vec<Guarded>> {
    let mut outcomes: Vec<Option<Guarded>> = vec![None; entries.len()];
    for _ in 0..ROUNDS {
        let open: Vec<usize> = (0..entries.len())
            .filter(|at| outcomes[*at].is_none())
            .collect();
        if open.is_empty() {
            break;
        }
        let chosen: Vec<&Entry> = open.iter().map(|at| &entries[*at]).collect();
        for (at, outcome) in open.into_iter().zip(round(call, &chosen)?) {
            outcomes[at] = outcome;
        }
    }
    let changing =
        || Error::unavailable("what is stored is changed all the time by others, without its lock");
    outcomes
        .into_iter()
        .map(|outcome| outcome.ok_or_else(changing))
        .collect()
}

/// All three steps; `None` where the second found a change.
fn round(call: &Call<'_>, entries: &[&Entry<'_>]) -> Result<Vec<Option<Guarded>>> {
    let places = look(call, entries)?;
    let mut outcomes = verdicts(call, entries)?;
    let wanted: Vec<_> = entries
        .iter()
        .zip(&outcomes)
        .zip(places)
        .enumerate()
        .filter(|(_, ((_, outcome), _))| outcome.is_none())
        .flat_map(|(number, ((entry, _), places))| {
            places
                .into_iter()
                .map(move |(at, when)| (number, at, entry.store(when)))
        })
        .collect();
    let asked: Vec<_> = wanted
        .iter()
        .map(|(_, at, command)| (*at, command))
        .collect();
    // Where each was stored, and its number there.
    let mut stored: Vec<Vec<(usize, u64)>> = vec![Vec::new(); entries.len()];
    let mut failed = None;
    for ((number, at, _), answer) in wanted.iter().zip(call.ask_at(&asked)) {
        match answer {
            Ok(Ok(Reply::Done(cas))) => stored[*number].push((*at, cas)),
            Ok(Ok(_)) => {}
            Ok(Err(refusal)) => failed = Some((*number, call.refused(*at, &refusal))),
            Err(failure) => {
                // It may have been stored, and nobody looks at the lock again.
                call.missed(*at, entries[*number].key);
                failed = Some((*number, call.failed(*at, &failure)));
            }
        }
    }
    let looked = verdicts(call, entries);
    let mut removed = Vec::new();
    for (number, (entry, stored)) in entries.iter().zip(&stored).enumerate() {
        let verdict = looked
            .as_ref()
            .map_or(Some(Guarded::LeaseLost), |looked| looked[number]);
        if let Some(outcome) = verdict {
            let key = entry.key;
            let deletions = stored.iter().map(|(at, cas)| {
                (
                    *at,
                    Command::Delete {
                        key,
                        cas: Some(*cas),
                    },
                )
            });
            removed.extend(deletions);
            outcomes[number].get_or_insert(outcome);
        } else if !stored.is_empty() {
            let told: Vec<usize> = stored.iter().map(|(at, _)| *at).collect();
            call.missed_elsewhere(entry.key, &told);
            outcomes[number] = Some(Guarded::Stored);
        }
    }
    let asked: Vec<_> = removed.iter().map(|(at, command)| (*at, command)).collect();
    let mut unremoved = None;
    for ((at, command), answer) in asked.iter().zip(call.ask_at(&asked)) {
        if let Err(failure) = answer {
            call.missed(*at, command.key());
            unremoved.get_or_insert_with(|| call.failed(*at, &failure));
        }
    }
    if let Some(error) = unremoved {
        return Err(error);
    }
    looked?;
    match failed {
        Some((number, error)) if outcomes[number].is_none() => Err(error),
        _ => Ok(outcomes),
    }
}

/// By entry, where it is to be stored, and on which condition.
fn look(call: &Call<'_>, entries: &[&Entry<'_>]) -> Result<Vec<Vec<(usize, When)>>> {
    let looks: Vec<_> = entries
        .iter()
        .map(|entry| Command::Look(entry.key))
        .collect();
    let asked: Vec<_> = looks
        .iter()
        .flat_map(|look| call.homes(look.key()).into_iter().map(move |at| (at, look)))
        .collect();
    let mut places: Vec<Vec<(usize, When)>> = vec![Vec::new(); entries.len()];
    let mut failed = None;
    let answers = call.ask_at(&asked);
    let mut answers = asked.iter().zip(answers).peekable();
    for (look, places) in looks.iter().zip(&mut places) {
        while let Some(((at, _), answer)) =
            answers.next_if(|((_, command), _)| std::ptr::eq(*command, look))
        {
            match answer {
                Ok(Ok(Reply::Found(item))) => places.push((*at, When::Unchanged(item.cas))),
                Ok(Ok(_)) => places.push((*at, When::Absent)),
                Ok(Err(refusal)) => failed = Some(call.refused(*at, &refusal)),
                Err(failure) => failed = Some(call.failed(*at, &failure)),
            }
        }
        if places.is_empty() {
            return Err(failed.unwrap_or_else(|| call.none_is_up()));
        }
    }
    Ok(places)
}

/// By entry, why it must not be stored.
fn verdicts(call: &Call<'_>, entries: &[&Entry<'_>]) -> Result<Vec<Option<Guarded>>> {
    let names: Vec<&str> = entries.iter().map(|entry| &*entry.lock).collect();
    let found = find_all(call, &names)?;
    let verdict = |(entry, found): (&&Entry, &Found)| match found.standing(&entry.token) {
        Standing::Held => None,
        Standing::Deleted => Some(Guarded::Deleted),
        Standing::Lost => Some(Guarded::LeaseLost),
    };
    Ok(entries.iter().zip(&found).map(verdict).collect())
}

impl Entry<'_> {
    fn store(&self, when: When) -> Command<'_> {
        Command::Store(Store {
            key: self.key,
            bytes: Cow::Borrowed(&self.bytes),
            flags: self.flags,
            ttl: self.ttl,
            when,
        })
    }
}
