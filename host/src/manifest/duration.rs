use std::time::Duration;

use super::suggest::nearest;

/// What a duration may be, for remedies.
pub(super) const FORMS: &str = "write a number of seconds (300, 0.25) or a string with units: \"250ms\", \"5m\", \"1h30m\"; \
     the units are us, ms, s, m, h, d and w";

const YEARS: u64 = 100;
const LONGEST: Duration = Duration::from_secs(YEARS * 365 * 24 * 3600);

/// Largest first: the order in which they may follow each other.
const UNITS: [(&str, f64); 7] = [
    ("w", 604_800.0),
    ("d", 86_400.0),
    ("h", 3_600.0),
    ("m", 60.0),
    ("s", 1.0),
    ("ms", 0.001),
    ("us", 0.000_001),
];

const LONG_NAMES: [(&str, &[&str]); 7] = [
    ("w", &["week", "weeks"]),
    ("d", &["day", "days"]),
    ("h", &["hr", "hrs", "hour", "hours"]),
    ("m", &["min", "mins", "minute", "minutes"]),
    ("s", &["sec", "secs", "second", "seconds"]),
    ("ms", &["msec", "millis", "millisecond", "milliseconds"]),
    ("us", &["µs", "μs", "usec", "micros", "microseconds"]),
];

/// What is wrong with a duration, and what would be right.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct BadDuration {
    pub(super) message: String,
    pub(super) remedy: String,
}

fn bad(message: impl Into<String>) -> BadDuration {
    BadDuration {
        message: message.into(),
        remedy: FORMS.into(),
    }
}

/// A number of seconds.
pub(super) fn from_seconds(seconds: f64) -> Result<Duration, BadDuration> {
    if !seconds.is_finite() {
        return Err(bad("a duration must be a finite number"));
    }
    if seconds < 0.0 {
        return Err(BadDuration {
            message: "a duration cannot be negative".into(),
            remedy: format!("{FORMS}; \"never\" switches it off"),
        });
    }
    Duration::try_from_secs_f64(seconds)
        .ok()
        .filter(|duration| *duration <= LONGEST)
        .ok_or_else(|| BadDuration {
            message: format!("this duration is longer than {YEARS} years"),
            remedy: "write a shorter one, or \"never\" to switch it off".into(),
        })
}

/// A whole number of seconds.
pub(super) fn from_whole_seconds(seconds: i64) -> Result<Duration, BadDuration> {
    match u64::try_from(seconds) {
        Ok(seconds) if Duration::from_secs(seconds) <= LONGEST => Ok(Duration::from_secs(seconds)),
        Ok(_) => from_seconds(f64::MAX),
        Err(_) => from_seconds(-1.0),
    }
}

/// Numbers with units, the larger unit first, each once: `1h30m`, `1.5s`, `1h 30m`.
pub(super) fn parse(text: &str) -> Result<Duration, BadDuration> {
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err(bad("an empty string is not a duration"));
    }
    if rest.starts_with('-') {
        return Err(BadDuration {
            message: "a duration cannot be negative".into(),
            remedy: format!("{FORMS}; \"never\" switches it off"),
        });
    }
    let mut seconds = 0.0;
    let mut next_unit = 0;
    while !rest.is_empty() {
        let digits = rest
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(rest.len());
        let (number, after) = rest.split_at(digits);
        let number: f64 = number.parse().map_err(|_| bad("this is not a duration"))?;
        let after = after.trim_start();
        let letters = after
            .find(|c: char| !c.is_alphabetic())
            .unwrap_or(after.len());
        let (unit, after) = after.split_at(letters);
        if unit.is_empty() {
            return Err(without_unit(text.trim()));
        }
        let Some(index) = UNITS.iter().position(|(name, _)| *name == unit) else {
            return Err(unknown_unit(unit));
        };
        if index < next_unit {
            return Err(bad(
                "the units of a duration go from large to small, each once",
            ));
        }
        next_unit = index + 1;
        seconds += number * UNITS[index].1;
        rest = after.trim_start();
    }
    from_seconds(seconds)
}

fn without_unit(text: &str) -> BadDuration {
    let whole = text.parse::<f64>().is_ok();
    BadDuration {
        message: "this duration has no unit".into(),
        remedy: if whole {
            format!("write {text} without quotes for seconds, or \"{text}s\"")
        } else {
            FORMS.into()
        },
    }
}

fn unknown_unit(unit: &str) -> BadDuration {
    let lower = unit.to_lowercase();
    let meant = LONG_NAMES
        .iter()
        .find(|(short, long)| *short == lower || long.contains(&lower.as_str()))
        .map(|(short, _)| short);
    BadDuration {
        message: format!("a duration has no unit `{unit}`"),
        remedy: match meant {
            Some(short) => {
                format!("did you mean `{short}`? The units are us, ms, s, m, h, d and w")
            }
            None => FORMS.into(),
        },
    }
}

/// The word that was probably meant by one that is not a duration.
pub(super) fn switch_meant(key: &str, text: &str) -> Option<&'static str> {
    const WITHOUT_LIMIT: [&str; 6] = [
        "forever",
        "for ever",
        "always",
        "infinite",
        "unlimited",
        "endless",
    ];
    const OFF: [&str; 4] = ["never", "none", "off", "no"];
    let lower = text.trim().to_lowercase();
    if WITHOUT_LIMIT.contains(&lower.as_str()) {
        Some(if key == "max_stale" {
            "forever"
        } else {
            "never"
        })
    } else if OFF.contains(&lower.as_str()) {
        Some("never")
    } else {
        let words: &[&str] = if key == "max_stale" {
            &["never", "forever"]
        } else {
            &["never"]
        };
        nearest(&lower, words)
    }
}

/// A duration as the manifest writes it: `5m`, `1h30m`, `250ms`, `0s`.
pub(super) fn display(duration: Duration) -> String {
    const IN_MICROS: [(&str, u128); 6] = [
        ("d", 86_400_000_000),
        ("h", 3_600_000_000),
        ("m", 60_000_000),
        ("s", 1_000_000),
        ("ms", 1_000),
        ("us", 1),
    ];
    let mut rest = duration.as_micros();
    let mut text = String::new();
    for (unit, micros) in IN_MICROS {
        if rest >= micros {
            text.push_str(&(rest / micros).to_string());
            text.push_str(unit);
            rest %= micros;
        }
    }
    if text.is_empty() { "0s".into() } else { text }
}

#[cfg(test)]
mod tests {
    use super::{display, from_seconds, parse};
    use std::time::Duration;

    #[test]
    fn numbers_with_units_are_durations() {
        for (text, millis) in [
            ("5m", 300_000),
            ("1h30m", 5_400_000),
            ("1h 30m", 5_400_000),
            ("250ms", 250),
            ("1.5s", 1_500),
            ("0s", 0),
            ("1w1d", 691_200_000),
            (" 2 s ", 2_000),
            (".5s", 500),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        assert_eq!(parse("250us"), Ok(Duration::from_micros(250)));
    }

    #[test]
    fn what_is_not_a_duration_is_told_the_units() {
        for text in [
            "",
            " ",
            "m",
            "5",
            "5x",
            "5 minutes",
            "5M",
            "-5m",
            "1m1h",
            "5m5m",
            "1..5s",
            "5m x",
            "inf",
            "nan",
            "1e3s",
            "٣s",
            "5m,",
            "9999999w",
            "+5m",
        ] {
            let error = parse(text).expect_err(text);
            assert!(
                !error.message.is_empty() && !error.remedy.is_empty(),
                "{text}"
            );
        }
        assert!(
            parse("5 minutes")
                .unwrap_err()
                .remedy
                .starts_with("did you mean `m`?")
        );
        assert!(
            parse("5M")
                .unwrap_err()
                .remedy
                .starts_with("did you mean `m`?")
        );
        assert_eq!(
            parse("5").unwrap_err().remedy,
            "write 5 without quotes for seconds, or \"5s\""
        );
    }

    #[test]
    fn seconds_are_finite_and_not_negative() {
        assert_eq!(from_seconds(0.25), Ok(Duration::from_millis(250)));
        assert_eq!(from_seconds(-0.0), Ok(Duration::ZERO));
        for seconds in [-1.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e300, 4e9] {
            assert!(from_seconds(seconds).is_err(), "{seconds}");
        }
    }

    #[test]
    fn a_displayed_duration_is_read_back() {
        for text in ["5m", "1h30m", "250ms", "0s", "1d2h3m4s5ms6us"] {
            let duration = parse(text).unwrap();
            assert_eq!(display(duration), text);
            assert_eq!(parse(&display(duration)), Ok(duration));
        }
    }
}
