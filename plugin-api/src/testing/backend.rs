//! Single keys.

use std::sync::Arc;
use std::time::Duration;

use super::fixture::{Case, Ended, Fixture, check, not_supported};
use crate::{ErrorKind, Metadata, Object, Value};

pub(super) const CASES: &[Case] = &[
    ("what_was_never_stored_is_not_found", never_stored),
    ("what_was_stored_is_found", stored),
    ("a_second_store_replaces_the_first", replaced),
    ("what_was_deleted_is_not_found", deleted),
    ("what_was_deleted_can_be_stored_again", stored_again),
    ("deleting_nothing_is_no_error", delete_nothing),
    ("other_keys_stay_when_one_is_deleted", others_stay),
    ("a_fresh_read_finds_the_last_store", fresh),
    ("what_ends_later_is_found_until_then", ends_later),
    ("an_object_comes_back_as_itself", object),
    ("what_was_cleared_is_not_found", cleared),
    ("it_answers_a_ping", ping),
    ("its_statistics_count_what_is_there", stats),
];

fn never_stored(on: &Fixture) -> Ended {
    on.absent(&on.key("a"))
}

fn stored(on: &Fixture) -> Ended {
    let key = on.key("a");
    on.set(&key, b"value")?;
    on.expect(&key, b"value")?;
    on.expect(&key, b"value")
}

fn replaced(on: &Fixture) -> Ended {
    let key = on.key("a");
    for value in [&b"one"[..], b"another, longer one", b"", b"3"] {
        on.set(&key, value)?;
        on.expect(&key, value)?;
    }
    Ok(())
}

fn deleted(on: &Fixture) -> Ended {
    let key = on.key("a");
    on.set(&key, b"value")?;
    on.backend.delete(&key.as_key())?;
    on.absent(&key)
}

fn stored_again(on: &Fixture) -> Ended {
    let key = on.key("a");
    for value in [b"one", b"two"] {
        on.set(&key, value)?;
        on.expect(&key, value)?;
        on.backend.delete(&key.as_key())?;
        on.absent(&key)?;
    }
    Ok(())
}

fn delete_nothing(on: &Fixture) -> Ended {
    let key = on.key("a");
    on.backend.delete(&key.as_key())?;
    on.backend.delete(&key.as_key())?;
    on.absent(&key)
}

fn others_stay(on: &Fixture) -> Ended {
    let keys: Vec<_> = (0..20).map(|number| on.key(&number.to_string())).collect();
    for key in &keys {
        on.set(key, key.as_key().as_bytes())?;
    }
    on.backend.delete(&keys[7].as_key())?;
    for (at, key) in keys.iter().enumerate() {
        if at == 7 {
            on.absent(key)?;
        } else {
            on.expect(key, key.as_key().as_bytes())?;
        }
    }
    Ok(())
}

fn fresh(on: &Fixture) -> Ended {
    let key = on.key("a");
    let found = on.backend.get_fresh(&key.as_key())?;
    check(found.is_none(), "a fresh read found what was never stored")?;
    for value in [b"one", b"two"] {
        on.set(&key, value)?;
        let found = on.backend.get_fresh(&key.as_key())?;
        on.same(found.as_ref(), value, "a fresh read")?;
    }
    Ok(())
}

fn ends_later(on: &Fixture) -> Ended {
    let key = on.key("a");
    let now = on.host.context().now();
    let hour = u64::try_from(Duration::from_hours(1).as_nanos()).unwrap_or(u64::MAX);
    let metadata = Metadata {
        created: now,
        started: now,
        keep_until: now + hour,
        weight: 0,
    };
    let value = Value::with(&metadata, key.as_key(), b"value".to_vec());
    on.backend.set(&key.as_key(), &value)?;
    on.expect(&key, b"value")
}

fn object(on: &Fixture) -> Ended {
    if !on.holds_objects() {
        return not_supported("this backend holds bytes, so the host gives it no objects");
    }
    let key = on.key("a");
    let content = Arc::new(String::from("content"));
    let object = Object::new(&Metadata::default(), key.as_key(), Arc::clone(&content));
    on.backend.set(&key.as_key(), object.as_value())?;
    let address = object.as_value().address();
    drop(object);
    if on.keeps() {
        let Some(found) = on.get(&key)? else {
            return check(false, "an object was stored, and not found");
        };
        check(
            found.address() == address,
            "an object was stored, and a copy of it found",
        )?;
        match Object::<Arc<String>>::from_value(found) {
            Ok(found) => check(Arc::ptr_eq(&found, &content), "another object was found")?,
            Err(_) => return check(false, "something else than the object was found"),
        }
    }
    on.backend.delete(&key.as_key())?;
    on.absent(&key)?;
    check(
        Arc::strong_count(&content) == 1,
        format_args!(
            "a deleted object is still held {} times",
            Arc::strong_count(&content) - 1
        ),
    )
}

fn cleared(on: &Fixture) -> Ended {
    let keys: Vec<_> = (0..20).map(|number| on.key(&number.to_string())).collect();
    for key in &keys {
        on.set(key, b"value")?;
    }
    match on.backend.clear() {
        Err(error) if error.kind() == ErrorKind::Unsupported => return not_supported(error),
        result => result?,
    }
    for key in &keys {
        on.absent(key)?;
    }
    on.set(&keys[0], b"again")?;
    on.expect(&keys[0], b"again")
}

fn ping(on: &Fixture) -> Ended {
    Ok(on.backend.ping()?)
}

fn stats(on: &Fixture) -> Ended {
    on.set(&on.key("a"), b"value")?;
    match on.backend.stats()?.entries {
        Some(0) if on.keeps() => check(false, "it counts no entries just after a store"),
        Some(entries) if !on.keeps() => check(
            entries == 0,
            format_args!("it keeps nothing, and counts {entries} entries"),
        ),
        _ => Ok(()),
    }
}
