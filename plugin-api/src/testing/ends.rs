//! What becomes of values that nobody wants any more: this case waits for one to end.

use std::thread;
use std::time::{Duration, Instant};

use super::fixture::{Case, Ended, Fixture, check, not_supported};
use crate::{Metadata, Value};

pub(super) const CASES: &[Case] = &[(
    "what_has_ended_is_found_no_more_and_not_before",
    ended_is_gone,
)];

const LENGTH: Duration = Duration::from_secs(1);
/// How far a storage's clock may be off.
const SLACK: Duration = Duration::from_millis(50);
/// How late a storage may be that says that it drops what has ended, and how long one is given that does not say so.
const LATE: Duration = Duration::from_secs(5);
const UNTOLD: Duration = Duration::from_secs(3);

fn ended_is_gone(on: &Fixture) -> Ended {
    let (ends, stays) = (on.key("ends"), on.key("stays"));
    on.set(&stays, b"stays")?;
    let now = on.host.context().now();
    let metadata = Metadata {
        created: now,
        started: now,
        keep_until: now + u64::try_from(LENGTH.as_nanos()).unwrap_or(u64::MAX),
        weight: 0,
    };
    let value = Value::with(&metadata, ends.as_key(), b"ends".to_vec());
    let before = Instant::now();
    on.backend.set(&ends.as_key(), &value)?;
    if !on.keeps() {
        return on.absent(&ends);
    }
    let others: Vec<_> = (0..50).map(|n| on.key(&format!("other{n}"))).collect();
    let counts = on.backend.stats()?.expirations.is_some();
    let limit = LENGTH + if counts { LATE } else { UNTOLD };
    loop {
        let found = on.get(&ends)?;
        let after = before.elapsed();
        let Some(found) = found else {
            check(
                after + SLACK >= LENGTH,
                format_args!("to be kept for {LENGTH:?}, and gone after {after:?}"),
            )?;
            return on.expect(&stays, b"stays");
        };
        on.same(Some(&found), b"ends", "what is to end")?;
        if after > limit {
            check(
                !counts,
                format_args!(
                    "to be kept for {LENGTH:?}, and still found after {after:?}, though its statistics count expirations"
                ),
            )?;
            return not_supported("what has ended stays until it is replaced or deleted");
        }
        // A storage may look for what has ended as others are stored.
        for key in &others {
            on.set(key, b"another")?;
        }
        thread::sleep(Duration::from_millis(20));
    }
}
