//! Times as dogpile writes them: Unix seconds, as floats.

use crate::slot::STEP;

/// A second in steps of starts and invalidations: whole numbers of these come back from the floats as they were.
const SECOND: f64 = 1e6;
const _: () = assert!(STEP == 1000);

#[expect(
    clippy::cast_precision_loss,
    reason = "dogpile's times are floats: exact to a microsecond until 2106"
)]
pub(crate) fn seconds(nanoseconds: u64) -> f64 {
    (nanoseconds / STEP) as f64 / SECOND
}

/// Negative numbers, and what is not one, count as 1970; the cast saturates.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "saturating is meant"
)]
pub(crate) fn nanoseconds(seconds: f64) -> u64 {
    ((seconds * SECOND).round() as u64).saturating_mul(STEP)
}
