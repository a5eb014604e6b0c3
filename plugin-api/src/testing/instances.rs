//! Opening, closing, and several instances.

use super::fixture::{Case, Ended, Fixture, OwnCase, check, not_supported};
use crate::ErrorKind;

pub(super) const CASES: &[Case] = &[
    ("an_unknown_argument_is_refused_by_name", unknown_argument),
    ("arguments_that_are_no_table_are_refused", no_table),
    ("instances_of_a_shared_storage_see_the_same", shared),
    (
        "what_a_shared_storage_holds_survives_its_instance",
        survives,
    ),
    (
        "reconfiguring_with_the_same_arguments_keeps_what_is_stored",
        reconfigured,
    ),
    ("it_can_be_opened_and_closed_many_times", many_times),
];

pub(super) const OWN_CASES: &[OwnCase] = &[("it_opens_again_after_it_was_closed", reopened)];

fn unknown_argument(on: &Fixture) -> Ended {
    const UNKNOWN: &str = "no_such_argument";
    let Ok(serde_json::Value::Object(mut arguments)) = serde_json::from_str(on.arguments()) else {
        return check(
            false,
            "the suite was given arguments that are no JSON object",
        );
    };
    arguments.insert(UNKNOWN.to_owned(), true.into());
    let arguments = serde_json::Value::Object(arguments).to_string();
    match on.another(Some(&arguments)) {
        Ok(_) => check(false, "it was opened with an argument that it cannot know"),
        Err(error) => check(
            error.kind() == ErrorKind::Arguments && error.to_string().contains(UNKNOWN),
            format_args!("the error does not name the argument {UNKNOWN}: {error:?}"),
        ),
    }
}

fn no_table(on: &Fixture) -> Ended {
    for wrong in ["[1]", "1", "\"text\"", "{", ""] {
        if on.another(Some(wrong)).is_ok() {
            return check(false, format_args!("it was opened with {wrong:?}"));
        }
    }
    Ok(())
}

fn shared(on: &Fixture) -> Ended {
    let properties = on.backend.properties();
    if !properties.shared {
        return not_supported("what it stores is seen by this instance only");
    }
    if properties.exclusive {
        return not_supported("only one instance can be open");
    }
    let other = on.another(None)?;
    let key = on.key("a");
    on.set(&key, b"one")?;
    on.same(
        other.get(&key.as_key())?.as_ref(),
        b"one",
        "the other instance",
    )?;
    other.set(&key.as_key(), &on.value(&key, b"two"))?;
    on.expect(&key, b"two")?;
    other.delete(&key.as_key())?;
    on.absent(&key)?;
    Ok(other.close()?)
}

fn survives(on: &Fixture) -> Ended {
    let properties = on.backend.properties();
    if !properties.shared || properties.exclusive {
        return not_supported("what it stores is seen by this instance only");
    }
    let key = on.key("a");
    let first = on.another(None)?;
    first.set(&key.as_key(), &on.value(&key, b"value"))?;
    first.close()?;
    drop(first);
    on.expect(&key, b"value")
}

fn reconfigured(on: &Fixture) -> Ended {
    let key = on.key("a");
    on.set(&key, b"value")?;
    if !on.backend.reconfigure(on.arguments())? {
        return not_supported("it wants a new instance for new arguments");
    }
    on.expect(&key, b"value")
}

fn many_times(on: &Fixture) -> Ended {
    if on.backend.properties().exclusive {
        return not_supported("only one instance can be open");
    }
    for _ in 0..10 {
        let other = on.another(None)?;
        other.ping()?;
        other.close()?;
    }
    Ok(())
}

fn reopened(on: Fixture) -> Ended {
    let (before, after) = (on.key("before"), on.key("after"));
    on.set(&before, b"value")?;
    let shared = on.backend.properties().shared;
    let on = on.reopened()?;
    if shared {
        on.expect(&before, b"value")?;
    }
    on.set(&after, b"value")?;
    on.expect(&after, b"value")?;
    Ok(on.backend.close()?)
}
