use std::borrow::Cow;

use super::envelope::{Envelope, FORMAT};
use super::notes::Notes;
use crate::slot::Tags;

/// Splits what is stored into envelope and payload, if the envelope is as dogpile writes it most of the time: without spaces
/// and tags, its members in order, and times without an exponent and no finer than a microsecond. All else is for
/// [`Envelope::split`], which says the same of this, and takes longer.
pub(super) fn split_usual(stored: &[u8]) -> Option<(Envelope<'_>, &[u8])> {
    let mut rest = Rest(stored);
    let created = rest.time(br#"{"ct":"#)?;
    if rest.digits(br#","v":"#)? != u64::from(FORMAT) {
        return None;
    }
    let started = rest.time(br#","st":"#).unwrap_or(created);
    let value_version = match rest.digits(br#","vv":"#) {
        Some(version) => u32::try_from(version).ok()?,
        None => 0,
    };
    let keep_until = rest.time(br#","ku":"#).unwrap_or(0);
    let expiration_time = rest.time(br#","et":"#);
    let serializer = rest.word(br#","sz":""#).unwrap_or_default();
    let payload = rest.0.strip_prefix(b"}|")?;
    let envelope = Envelope {
        created,
        started,
        keep_until,
        notes: Notes {
            tags: Tags::NONE,
            expiration_time,
            value_version,
        },
        serializer: Cow::Borrowed(serializer),
    };
    Some((envelope, payload))
}

/// What is still to be read. What is not there as it is wanted is left.
struct Rest<'s>(&'s [u8]);

/// More would not fit.
const DIGITS: usize = 10;

/// A time is written in seconds, with as many digits behind the point at most.
const FRACTION: u32 = 6;
const MICROSECOND: u64 = 1000;

impl<'s> Rest<'s> {
    /// The number behind that name.
    fn digits(&mut self, name: &[u8]) -> Option<u64> {
        let (number, rest) = digits(self.0.strip_prefix(name)?)?;
        self.0 = rest;
        Some(number)
    }

    /// The seconds behind that name, in nanoseconds.
    fn time(&mut self, name: &[u8]) -> Option<u64> {
        let (seconds, mut rest) = digits(self.0.strip_prefix(name)?)?;
        let mut micros = seconds * 10_u64.pow(FRACTION);
        if let Some(fraction) = rest.strip_prefix(b".") {
            let count = fraction
                .iter()
                .take_while(|byte| byte.is_ascii_digit())
                .count();
            let (digits, behind) = fraction.split_at(count);
            let more = FRACTION.checked_sub(u32::try_from(count).ok()?)?;
            if count == 0 {
                return None;
            }
            micros += value(digits) * 10_u64.pow(more);
            rest = behind;
        }
        if !matches!(rest.first(), Some(b',' | b'}')) {
            return None;
        }
        self.0 = rest;
        Some(micros * MICROSECOND)
    }

    /// The text behind that name and a quotation mark, of letters and the like.
    fn word(&mut self, name: &[u8]) -> Option<&'s str> {
        let text = self.0.strip_prefix(name)?;
        let is_plain = |byte: &u8| byte.is_ascii_graphic() && !b"\"\\|".contains(byte);
        let end = text.iter().position(|byte| !is_plain(byte))?;
        let (word, rest) = text.split_at(end);
        self.0 = rest.strip_prefix(b"\"")?;
        str::from_utf8(word).ok()
    }
}

/// A whole number, and what is behind them.
fn digits(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let count = bytes
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    let (digits, rest) = bytes.split_at(count);
    let is_a_number = match digits {
        [] | [b'0', _, ..] => false,
        digits => digits.len() <= DIGITS,
    };
    is_a_number.then(|| (value(digits), rest))
}

fn value(digits: &[u8]) -> u64 {
    digits
        .iter()
        .fold(0, |value, digit| value * 10 + u64::from(digit - b'0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_usual_is_read_as_the_rest_is() {
        let second = 1_000_000_000;
        for (created, started, keep_until) in [
            (1_764_155_325 * second, 1_764_155_325 * second, 0),
            (
                1_764_155_325_123_457_000,
                1_764_155_325_000_001_000,
                1_764_155_925_999_999_000,
            ),
            (1_764_155_325_100_000_000, 0, 9_999_999_999 * second),
        ] {
            for notes in [
                Notes::NONE,
                Notes {
                    value_version: 7,
                    expiration_time: Some(90_500_000_000),
                    ..Notes::NONE
                },
            ] {
                let envelope = Envelope {
                    created,
                    started,
                    keep_until,
                    notes,
                    serializer: Cow::Borrowed("raw"),
                };
                let stored = [&envelope.header()[..], b"pay|load"].concat();
                let usual = split_usual(&stored).unwrap();
                assert_eq!(usual, (envelope, &b"pay|load"[..]));
                assert_eq!(Envelope::parse(&stored).unwrap(), usual);
            }
        }
        for stored in [
            r#"{"ct":1700000000.25,"v":2}|"#,
            r#"{"ct":0,"v":2,"st":0.5,"vv":0,"ku":10}|{"ct""#,
            r#"{"ct":1.5,"v":2,"sz":"a-b_c.d"}||"#,
        ] {
            let usual = split_usual(stored.as_bytes()).expect(stored);
            assert_eq!(
                Envelope::parse(stored.as_bytes()).unwrap(),
                usual,
                "{stored}"
            );
        }
    }

    #[test]
    fn all_else_is_left_to_who_parses() {
        for stored in [
            "",
            "{",
            r#"{"ct":1.5}|"#,
            r#"{"ct":1.5,"v":2}"#,
            r#"{"ct": 1.5, "v": 2}|"#,
            r#"{"v":2,"ct":1.5}|"#,
            r#"{"ct":1.5,"v":3}|"#,
            r#"{"ct":1.5,"v":2.0}|"#,
            r#"{"ct":1.5,"v":2,"tags":["a"]}|"#,
            r#"{"ct":1.5,"v":2,"et":-1.0}|"#,
            r#"{"ct":1e9,"v":2}|"#,
            r#"{"ct":1.5e3,"v":2}|"#,
            r#"{"ct":.5,"v":2}|"#,
            r#"{"ct":1.,"v":2}|"#,
            r#"{"ct":01.5,"v":2}|"#,
            r#"{"ct":1.5.5,"v":2}|"#,
            r#"{"ct":+1,"v":2}|"#,
            r#"{"ct":1.2345678,"v":2}|"#,
            r#"{"ct":17000000000,"v":2}|"#,
            r#"{"ct":1.5,"v":2,"vv":4294967296}|"#,
            r#"{"ct":1.5,"v":2,"vv":1.5}|"#,
            r#"{"ct":1.5,"v":2,"sz":"a\"b"}|"#,
            r#"{"ct":1.5,"v":2,"sz":"a b"}|"#,
            r#"{"ct":1.5,"v":2,"sz":"é"}|"#,
            r#"{"ct":1.5,"v":2,"sz":"raw"},|"#,
            r#"{"ct":1.5,"v":2,"sz":"raw","st":1.0}|"#,
            r#"{"ct":1.5,"v":2,"st":1.0,"st":1.0}|"#,
            r#"{"ct":1.5,"v":2,"st":null}|"#,
        ] {
            assert_eq!(split_usual(stored.as_bytes()), None, "{stored}");
        }
    }
}
