//! Many threads at once.

use std::thread;

use super::fixture::{Case, Ended, Fixture, check, joined};

pub(super) const CASES: &[Case] = &[
    (
        "threads_with_keys_of_their_own_do_not_disturb_each_other",
        own_keys,
    ),
    (
        "a_key_that_all_write_has_one_of_their_values_whole",
        one_key,
    ),
    ("many_at_once_from_many_threads_keep_their_order", multi),
];

const THREADS: u32 = 8;
const TURNS: u32 = 50;

/// Runs `turn` in so many threads; the first that does not hold is the finding.
pub(super) fn all(threads: u32, turn: impl Fn(u32) -> Ended + Sync) -> Ended {
    thread::scope(|scope| {
        let turn = &turn;
        let threads: Vec<_> = (0..threads)
            .map(|number| scope.spawn(move || turn(number)))
            .collect();
        let ended: Vec<_> = threads
            .into_iter()
            .map(|thread| joined(thread.join()))
            .collect();
        ended.into_iter().collect()
    })
}

fn own_keys(on: &Fixture) -> Ended {
    all(THREADS, |thread| {
        let key = on.key(&format!("own{thread}"));
        for turn in 0..TURNS {
            let bytes = format!("{thread}:{turn}").repeat(10);
            on.set(&key, bytes.as_bytes())?;
            on.expect(&key, bytes.as_bytes())?;
            if turn % 10 == 0 {
                on.backend.delete(&key.as_key())?;
                on.absent(&key)?;
            }
        }
        Ok(())
    })
}

fn one_key(on: &Fixture) -> Ended {
    let key = on.key("one");
    all(THREADS, |thread| {
        let letter = b'a' + u8::try_from(thread).unwrap_or_default();
        for turn in 0..TURNS {
            // Different lengths, so that a mixture shows.
            let length = (1000 * (thread + 1)) as usize;
            on.set(&key, &vec![letter; length])?;
            if let Some(found) = on.get(&key)? {
                let bytes = found.as_bytes().unwrap_or_default();
                let first = bytes.first().copied().unwrap_or_default();
                let whole = bytes.iter().all(|byte| *byte == first)
                    && bytes.len() == 1000 * (usize::from(first.wrapping_sub(b'a')) + 1);
                check(
                    whole,
                    format_args!("found {} bytes that nobody stored so", bytes.len()),
                )?;
            }
            if turn % 10 == 9 {
                on.backend.delete(&key.as_key())?;
            }
        }
        Ok(())
    })
}

fn multi(on: &Fixture) -> Ended {
    all(THREADS, |thread| {
        let keys: Vec<_> = (0..10)
            .map(|number| on.key(&format!("multi{thread}:{number}")))
            .collect();
        let asked: Vec<_> = keys.iter().map(crate::OwnedKey::as_key).collect();
        for _ in 0..TURNS / 10 {
            let entries: Vec<_> = keys
                .iter()
                .map(|key| (key.as_key(), on.value(key, key.as_key().as_bytes())))
                .collect();
            on.backend.set_multi(&entries)?;
            let found = on.backend.get_multi(&asked)?;
            for (key, found) in keys.iter().zip(&found) {
                on.same(found.as_ref(), key.as_key().as_bytes(), on.named(key))?;
            }
        }
        Ok(())
    })
}
