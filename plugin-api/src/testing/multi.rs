//! Many keys at once.

use super::fixture::{Case, Ended, Fixture, check};
use crate::{Key, OwnedKey, Value};

pub(super) const CASES: &[Case] = &[
    ("many_are_found_in_the_order_of_their_keys", in_order),
    ("what_is_missing_among_many_leaves_its_place_empty", gaps),
    ("a_key_asked_for_twice_is_found_twice", twice),
    ("many_stored_at_once_are_found_one_by_one", stored_at_once),
    ("of_two_values_for_a_key_the_last_is_stored", last_wins),
    ("many_deleted_at_once_are_gone", deleted_at_once),
    ("a_fresh_read_of_many_finds_the_last_stores", fresh),
    ("nothing_at_once_is_no_error", nothing),
];

fn keys(on: &Fixture, count: u32) -> Vec<OwnedKey> {
    // The order of these is neither that of the alphabet nor of any hash.
    (0..count)
        .map(|number| on.key(&format!("{:x}", number.wrapping_mul(2_654_435_761))))
        .collect()
}

fn lent(keys: &[OwnedKey]) -> Vec<Key<'_>> {
    keys.iter().map(OwnedKey::as_key).collect()
}

fn store(on: &Fixture, keys: &[OwnedKey]) -> Ended {
    let entries: Vec<(Key<'_>, Value)> = keys
        .iter()
        .map(|key| (key.as_key(), on.value(key, key.as_key().as_bytes())))
        .collect();
    Ok(on.backend.set_multi(&entries)?)
}

/// The answer to `asked` has the key's own text for those where `there`, and nothing for the others.
fn compare(on: &Fixture, asked: &[Key<'_>], there: impl Fn(usize) -> bool) -> Ended {
    let found = on.backend.get_multi(asked)?;
    check(
        found.len() == asked.len(),
        format_args!("{} keys, {} answers", asked.len(), found.len()),
    )?;
    for (at, (key, found)) in asked.iter().zip(&found).enumerate() {
        if there(at) {
            on.same(found.as_ref(), key.as_bytes(), format_args!("place {at}"))?;
        } else {
            check(
                found.is_none(),
                format_args!("place {at}: found, where nothing should be"),
            )?;
        }
    }
    Ok(())
}

fn in_order(on: &Fixture) -> Ended {
    let keys = keys(on, 50);
    for key in &keys {
        on.set(key, key.as_key().as_bytes())?;
    }
    let mut asked = lent(&keys);
    compare(on, &asked, |_| true)?;
    asked.reverse();
    compare(on, &asked, |_| true)
}

fn gaps(on: &Fixture) -> Ended {
    let keys = keys(on, 30);
    for key in keys.iter().step_by(3) {
        on.set(key, key.as_key().as_bytes())?;
    }
    compare(on, &lent(&keys), |at| at % 3 == 0)?;
    let missing: Vec<OwnedKey> = (0..3).map(|n| on.key(&format!("missing{n}"))).collect();
    compare(on, &lent(&missing), |_| false)
}

fn twice(on: &Fixture) -> Ended {
    let keys = keys(on, 2);
    on.set(&keys[0], keys[0].as_key().as_bytes())?;
    let (there, not) = (keys[0].as_key(), keys[1].as_key());
    compare(on, &[there, not, there, not, there], |at| at % 2 == 0)
}

fn stored_at_once(on: &Fixture) -> Ended {
    let keys = keys(on, 50);
    store(on, &keys)?;
    for key in &keys {
        on.expect(key, key.as_key().as_bytes())?;
    }
    compare(on, &lent(&keys), |_| true)
}

fn last_wins(on: &Fixture) -> Ended {
    let key = on.key("a");
    let values = [b"one", b"two"].map(|bytes| (key.as_key(), on.value(&key, bytes)));
    on.backend.set_multi(&values)?;
    on.expect(&key, b"two")
}

fn deleted_at_once(on: &Fixture) -> Ended {
    let keys = keys(on, 30);
    store(on, &keys)?;
    let mut gone = lent(&keys[..20]);
    let missing = on.key("missing");
    gone.push(missing.as_key());
    gone.push(keys[0].as_key());
    on.backend.delete_multi(&gone)?;
    compare(on, &lent(&keys), |at| at >= 20)
}

fn fresh(on: &Fixture) -> Ended {
    let keys = keys(on, 30);
    let asked = lent(&keys);
    for value in [b"one", b"two"] {
        for key in keys.iter().step_by(3) {
            on.set(key, value)?;
        }
        let found = on.backend.get_multi_fresh(&asked)?;
        check(
            found.len() == asked.len(),
            format_args!("{} keys, {} answers", asked.len(), found.len()),
        )?;
        for (at, found) in found.iter().enumerate() {
            let place = format_args!("place {at} of a fresh read");
            if at % 3 == 0 {
                on.same(found.as_ref(), value, place)?;
            } else {
                check(
                    found.is_none(),
                    format_args!("{place}: found, where nothing should be"),
                )?;
            }
        }
    }
    Ok(())
}

fn nothing(on: &Fixture) -> Ended {
    on.backend.set_multi(&[])?;
    on.backend.delete_multi(&[])?;
    check(
        on.backend.get_multi_fresh(&[])?.is_empty()
            && on.backend.set_guarded_multi(&[])?.is_empty(),
        "no keys, and an answer",
    )?;
    check(
        on.backend.get_multi(&[])?.is_empty(),
        "no keys, and an answer",
    )
}
