//! Turns of about the same length, whatever a call takes.

/// So many calls that a turn takes about so many nanoseconds: by a short one, and another of a tenth, which warm up.
/// `turn` gives the nanoseconds that it took.
pub(crate) fn calls(nanoseconds: f64, turn: impl Fn(usize) -> f64) -> usize {
    let mut calls = 5;
    for part in [10.0, 1.0] {
        let took = turn(calls);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it is small"
        )]
        let fitting = (nanoseconds / part / took * number(calls)) as usize;
        calls = fitting.max(5);
    }
    calls
}

#[expect(clippy::cast_precision_loss, reason = "few calls")]
pub(crate) fn number(calls: usize) -> f64 {
    calls as f64
}
