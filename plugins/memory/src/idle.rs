use dogpile_plugin_api::Value;

use crate::mark;

/// When a value that nobody asks for is gone.
#[derive(Clone, Copy)]
pub(crate) struct Idle {
    limit: u32,
}

/// Marks hold 28 bits of seconds, which come round after eight years.
const MASK: u32 = (1 << 28) - 1;

impl Idle {
    pub(crate) fn new(seconds: u32) -> Self {
        Self { limit: seconds }
    }

    /// Whether `value` was last asked for more than the limit before `now`. A clock that was set back ends nothing.
    #[inline]
    pub(crate) fn is_over(self, value: &Value, now: u64) -> bool {
        let since = seconds(now).wrapping_sub(mark::last(value.mark())) & MASK;
        (self.limit + 1..MASK / 2).contains(&since)
    }
}

/// Nanoseconds since 1970 as the seconds that marks hold.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "28 bits are left")]
pub(crate) fn seconds(now: u64) -> u32 {
    (now / 1_000_000_000) as u32 & MASK
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn a_value_is_idle_after_its_limit_and_never_by_a_clock_set_back() {
        let idle = Idle::new(10);
        let value = Value::from(vec![]);
        let start = u64::from(MASK - 5) * SECOND;
        mark::hit_at(value.mark(), seconds(start));
        assert!(!idle.is_over(&value, start + 10 * SECOND));
        assert!(idle.is_over(&value, start + 11 * SECOND));
        assert!(!idle.is_over(&value, start - 100 * SECOND));
    }
}
