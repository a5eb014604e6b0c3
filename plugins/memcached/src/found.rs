use dogpile_plugin_api::Result;

use crate::command::{Command, Item, Reply};
use crate::servers::Call;
use crate::token::Held;

/// What is known of a lock, by the servers that it is on.
pub(crate) struct Found {
    /// Each server that answered, and what it has.
    pub(crate) on: Vec<(usize, Option<Item>)>,
}

/// How a lock stands to a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// The token has it.
    Held,
    /// The token has it, and the value was deleted since it was taken.
    Deleted,
    /// The token does not have it.
    Lost,
}

impl Found {
    /// Where several servers have it, one is enough, unless another is somebody else's.
    pub(crate) fn standing(&self, token: &str) -> Standing {
        let mut standing = Standing::Lost;
        for item in self.on.iter().filter_map(|(_, item)| item.as_ref()) {
            match Held::by(item) {
                Some(held) if held.token == token.as_bytes() => {
                    if held.is_marked || standing == Standing::Deleted {
                        standing = Standing::Deleted;
                    } else {
                        standing = Standing::Held;
                    }
                }
                _ => return Standing::Lost,
            }
        }
        standing
    }

    /// Where the token has it, and what is there.
    pub(crate) fn of<'f>(&'f self, token: &'f str) -> impl Iterator<Item = (usize, &'f Item)> {
        self.on.iter().filter_map(move |(at, item)| {
            let item = item.as_ref()?;
            let held = Held::by(item)?;
            (held.token == token.as_bytes()).then_some((*at, item))
        })
    }
}

/// What is known of a lock. An error if no server answers that it may be on.
pub(crate) fn find(call: &Call<'_>, name: &str) -> Result<Found> {
    let mut found = find_all(call, &[name])?;
    found.pop().ok_or_else(|| call.none_is_up())
}

/// As `find`, of many.
pub(crate) fn find_all(call: &Call<'_>, names: &[&str]) -> Result<Vec<Found>> {
    find_each(call, names).into_iter().collect()
}

/// As `find`, of each of many.
pub(crate) fn find_each(call: &Call<'_>, names: &[&str]) -> Vec<Result<Found>> {
    let commands: Vec<_> = names.iter().map(|name| Command::Get(name)).collect();
    let homes: Vec<_> = names.iter().map(|name| call.homes(name)).collect();
    let asked: Vec<_> = commands
        .iter()
        .zip(&homes)
        .flat_map(|(command, homes)| homes.iter().map(move |at| (*at, command)))
        .collect();
    let mut answers = asked.iter().zip(call.ask_at(&asked));
    let mut all = Vec::with_capacity(names.len());
    for homes in &homes {
        let (mut on, mut failed) = (Vec::new(), None);
        for ((at, _), answer) in answers.by_ref().take(homes.len()) {
            match answer {
                Ok(Ok(Reply::Found(item))) => on.push((*at, Some(item))),
                Ok(Ok(_)) => on.push((*at, None)),
                Ok(Err(refusal)) => failed = Some(call.refused(*at, &refusal)),
                Err(failure) => failed = Some(call.failed(*at, &failure)),
            }
        }
        all.push(if on.is_empty() {
            Err(failed.unwrap_or_else(|| call.none_is_up()))
        } else {
            Ok(Found { on })
        });
    }
    all
}
