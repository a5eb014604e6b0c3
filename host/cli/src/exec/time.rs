//! Times on the command line.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use dogpile::{Expiration, MaxStale};

/// As long as the manifest lets one be.
const LONGEST: Duration = Duration::from_hours(100 * 365 * 24);

/// `90s`, `1h 30m`, or a number of seconds.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let parsed = match text.parse::<f64>() {
        Ok(seconds) => Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string()),
        Err(_) => humantime::parse_duration(text).map_err(|error| error.to_string()),
    };
    let time =
        parsed.map_err(|error| format!("{error}; write a time such as 250ms, 90s, 1h or 1h30m"))?;
    if time > LONGEST {
        return Err("it is longer than 100 years".to_owned());
    }
    Ok(time)
}

/// A duration, or `never`.
pub(super) fn expiration(text: &str) -> Result<Expiration, String> {
    match text {
        "never" => Ok(Expiration::Never),
        text => duration(text).map(Expiration::After),
    }
}

/// A duration, or `forever`.
pub(super) fn max_stale(text: &str) -> Result<MaxStale, String> {
    match text {
        "forever" => Ok(MaxStale::Forever),
        text => duration(text).map(MaxStale::For),
    }
}

/// Since 1970.
pub(super) fn nanoseconds(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

/// Two units at most, without what is too small to matter: `3d 4h`, `12s`.
pub(super) fn shown(time: Duration) -> String {
    let whole = humantime::format_duration(Duration::from_secs(time.as_secs())).to_string();
    let units: Vec<&str> = whole.split(' ').take(2).collect();
    units.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_a_number_of_seconds_or_has_units() {
        assert_eq!(duration("90"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("0.25"), Ok(Duration::from_millis(250)));
        assert_eq!(duration("1h30m"), Ok(Duration::from_mins(90)));
        assert_eq!(expiration("never"), Ok(Expiration::Never));
        assert_eq!(max_stale("forever"), Ok(MaxStale::Forever));
        for wrong in ["", "-1", "nan", "inf", "1 parsec", "1e30", "101years"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_age_is_shown_by_its_two_largest_units() {
        assert_eq!(shown(Duration::from_millis(12_900)), "12s");
        assert_eq!(
            shown(Duration::from_secs(3 * 86_400 + 4 * 3600 + 5)),
            "3days 4h"
        );
    }
}
