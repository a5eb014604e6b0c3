//! The notes of deletions, which are in the locks themselves: so they last as long, and are renewed and go with them.

use dogpile_plugin_api::{Error, Result};

use crate::command::{Command, Item, Reply};
use crate::found::find_each;
use crate::keys;
use crate::servers::Call;
use crate::token::{Held, MARK};

/// Marks the locks of these keys that anybody holds: what is being created under them is not stored. One that cannot be
/// marked keeps none of the others from it.
pub(crate) fn note(call: &Call<'_>, keys: &[&str]) -> Result<()> {
    // What has no room for a lock's name is locked by nobody.
    let names: Vec<String> = keys.iter().filter_map(|key| keys::lock(key).ok()).collect();
    let mut names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut failed = None;
    while !names.is_empty() {
        let mut marked = Vec::new();
        for (name, found) in names.iter().zip(find_each(call, &names)) {
            let on = match found {
                Ok(found) => found.on,
                Err(error) => {
                    failed.get_or_insert(error);
                    continue;
                }
            };
            for (at, item) in on {
                let unmarked =
                    item.filter(|item| Held::by(item).is_some_and(|held| !held.is_marked));
                if let Some(Item { cas, .. }) = unmarked {
                    let (key, bytes) = (*name, MARK);
                    marked.push((at, Command::Append { key, bytes, cas }));
                }
            }
        }
        let asked: Vec<_> = marked.iter().map(|(at, command)| (*at, command)).collect();
        let answers = call.ask_at(&asked);
        let mut again = Vec::new();
        for ((at, command), answer) in asked.into_iter().zip(answers) {
            match answer {
                // Renewed, or marked by another: to be looked at again.
                Ok(Ok(Reply::Present)) => again.push(command.key().to_owned()),
                Ok(Ok(_)) => {}
                Ok(Err(refusal)) => {
                    failed.get_or_insert_with(|| call.refused(at, &refusal));
                }
                Err(failure) => {
                    failed.get_or_insert_with(|| call.failed(at, &failure));
                }
            }
        }
        names.retain(|name| again.iter().any(|again| again == name));
        if !names.is_empty() && !call.has_time() {
            return Err(Error::unavailable(
                "a lock is changed all the time, and cannot be marked",
            ));
        }
    }
    failed.map_or(Ok(()), Err)
}
