//! dogpile's envelope: `{"ct": 1700000000.25, "v": 2}|payload`.
//!
//! `ct` is when creation ended, in Unix seconds; `v` is 2, the version of the format. Keys of ours, which Python
//! ignores:
//!
//! | key | is | left out |
//! |---|---|---|
//! | `st` | when creation started, in Unix seconds | when equal to `ct` |
//! | `vv` | `value_version` | when 0 |
//! | `ku` | `keep_until`, in Unix seconds | when never |
//! | `et` | the value's own expiration time, in seconds from `ct`; negative is never, as dogpile's -1 | when it has none |
//! | `tags` | an array of strings | when there are none |
//! | `sz` | the name of the serializer | never, but Python does: then the region's own is meant |
//!
//! Other keys are ignored. The JSON holds no `|`, at the first of which Python splits: within strings it is `\u007c`.

use std::borrow::Cow;
use std::fmt::Display;

use dogpile_plugin_api::Metadata;
use serde::{Deserialize, Serialize};

use super::foreign::begins_as_pickle;
use super::notes::Notes;
use super::usual_envelope::split_usual;
use crate::slot::{MissReason, Tags};
use crate::wire_time::{nanoseconds, seconds};

/// The version of the format, the only one that there is.
pub(super) const FORMAT: u32 = 2;

/// An expiration time of never.
const NEVER: f64 = -1.0;

/// What the envelope says; times in nanoseconds since 1970.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Envelope<'a> {
    pub(crate) created: u64,
    pub(crate) started: u64,
    pub(crate) keep_until: u64,
    pub(crate) notes: Notes,
    /// The name of the serializer that wrote the payload; empty: it does not say.
    pub(crate) serializer: Cow<'a, str>,
}

#[derive(Serialize, Deserialize)]
struct Wire<'a> {
    ct: f64,
    v: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    st: Option<f64>,
    #[serde(default, skip_serializing_if = "is_zero")]
    vv: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ku: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    et: Option<f64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    tags: Vec<Box<str>>,
    #[serde(default, borrow, skip_serializing_if = "str::is_empty")]
    sz: Cow<'a, str>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// Stored bytes that are no envelope of this format.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unreadable {
    pub(crate) reason: MissReason,
    /// For people.
    pub(crate) cause: String,
}

impl<'a> Envelope<'a> {
    pub(crate) fn of(metadata: &Metadata, notes: Notes, serializer: &'a str) -> Self {
        let Metadata {
            created,
            started,
            keep_until,
            ..
        } = *metadata;
        Self {
            created,
            started,
            keep_until,
            notes,
            serializer: Cow::Borrowed(serializer),
        }
    }

    /// The envelope as it stands before a payload, with the bar.
    pub(crate) fn header(&self) -> Vec<u8> {
        let (ct, st) = (seconds(self.created), seconds(self.started));
        let wire = Wire {
            ct,
            v: FORMAT,
            st: (st.to_bits() != ct.to_bits()).then_some(st),
            vv: self.notes.value_version,
            ku: (self.keep_until != 0).then(|| seconds(self.keep_until)),
            et: self.notes.expiration_time.map(|time| match time {
                u64::MAX => NEVER,
                time => seconds(time),
            }),
            tags: self.notes.tags.iter().map(Into::into).collect(),
            sz: Cow::Borrowed(&self.serializer),
        };
        let mut header = serde_json::to_string(&wire).expect("these are always serialisable");
        if header.contains('|') {
            // JSON has none outside of strings.
            header = header.replace('|', r"\u007c");
        }
        header.push('|');
        header.into_bytes()
    }

    /// Splits what is stored into envelope and payload.
    pub(crate) fn split(stored: &'a [u8]) -> Result<(Self, &'a [u8]), Unreadable> {
        match split_usual(stored) {
            Some(parts) => Ok(parts),
            None => Self::parse(stored),
        }
    }

    /// As `split`, of every envelope that is one.
    pub(super) fn parse(stored: &'a [u8]) -> Result<(Self, &'a [u8]), Unreadable> {
        let damaged = |cause: &dyn Display| Unreadable {
            reason: MissReason::Damaged,
            cause: cause.to_string(),
        };
        if begins_as_pickle(stored) {
            return Err(Unreadable {
                reason: MissReason::Foreign,
                cause: "it is a pickle".to_owned(),
            });
        }
        // A sequence would be read as a struct too.
        if !stored.trim_ascii_start().starts_with(b"{") {
            return Err(damaged(&"it does not begin as an envelope"));
        }
        let bar = stored.iter().position(|byte| *byte == b'|');
        let bar = bar.ok_or_else(|| damaged(&"its envelope has no end"))?;
        let (header, payload) = stored.split_at(bar);
        let wire: Wire<'a> = serde_json::from_slice(header).map_err(|error| damaged(&error))?;
        if wire.v != FORMAT {
            return Err(Unreadable {
                reason: MissReason::Version,
                cause: format!("the version of its format is {}, not {FORMAT}", wire.v),
            });
        }
        let created = nanoseconds(wire.ct);
        let envelope = Self {
            created,
            started: wire.st.map_or(created, nanoseconds),
            keep_until: wire.ku.map_or(0, nanoseconds),
            notes: Notes {
                tags: Tags::new(wire.tags),
                expiration_time: wire.et.map(|time| match time {
                    time if time < 0.0 => u64::MAX,
                    time => nanoseconds(time),
                }),
                value_version: wire.vv,
            },
            serializer: wire.sz,
        };
        Ok((envelope, &payload[1..]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::slot::STEP;

    #[test]
    fn an_envelope_is_as_dogpile_writes_it() {
        let at = 1_700_000_000_250_000_000;
        let plain = Envelope {
            created: at,
            started: at,
            ..Envelope::default()
        };
        assert_eq!(plain.header(), br#"{"ct":1700000000.25,"v":2}|"#);
        let full = Envelope {
            started: at - 250_000_000,
            keep_until: at + 500_000_000,
            notes: Notes {
                tags: Tags::new(["b|\"", "a", "b|\""]),
                expiration_time: Some(1_500_000_000),
                value_version: 3,
            },
            serializer: Cow::Borrowed("json"),
            ..plain
        };
        let header = full.header();
        assert_eq!(
            str::from_utf8(&header).unwrap(),
            r#"{"ct":1700000000.25,"v":2,"st":1700000000.0,"vv":3,"ku":1700000000.75,"et":1.5,"tags":["a","b\u007c\""],"sz":"json"}|"#
        );
        assert_eq!(Envelope::split(&header), Ok((full, &b""[..])));
    }

    #[test]
    fn an_expiration_time_of_never_is_negative() {
        let read = |stored: &str| Envelope::split(stored.as_bytes()).unwrap().0.notes;
        let never = Envelope {
            notes: Notes {
                expiration_time: Some(u64::MAX),
                ..Notes::NONE
            },
            ..Envelope::default()
        };
        let header = String::from_utf8(never.header()).unwrap();
        assert_eq!(header, r#"{"ct":0.0,"v":2,"et":-1.0}|"#);
        assert_eq!(read(&header), never.notes);
        let time = |et: &str| read(&format!(r#"{{"ct":0,"v":2,"et":{et}}}|"#)).expiration_time;
        assert_eq!(time("-1"), Some(u64::MAX));
        assert_eq!(time("null"), None);
        assert_eq!(time("0"), Some(0));
        assert_eq!(time("2e0"), Some(2_000_000_000));
        assert_eq!(time("1e300"), Some(u64::MAX));
    }

    #[test]
    fn no_bar_stands_before_the_payload_but_the_last() {
        let named = Envelope {
            serializer: Cow::Borrowed("a|\"b\""),
            ..Envelope::default()
        };
        let stored = [named.header(), b"|payload|".to_vec()].concat();
        assert!(stored.starts_with(br#"{"ct":0.0,"v":2,"sz":"a\u007c\"b\""}|"#));
        assert_eq!(Envelope::split(&stored), Ok((named, &b"|payload|"[..])));
    }

    #[test]
    fn a_start_comes_back_as_it_was() {
        for seconds in [1, 1_700_000_000, 4_200_000_000] {
            for steps in 0..1_000_000 / 7 {
                let started = seconds * 1_000_000_000 + steps * 7 * STEP;
                let envelope = Envelope {
                    created: started + 1,
                    started,
                    ..Envelope::default()
                };
                let header = envelope.header();
                let (read, _) = Envelope::split(&header).unwrap();
                assert_eq!(read.started, started);
            }
        }
    }

    #[test]
    fn what_is_written_alike_is_written_once() {
        let created = 1_700_000_000_250_000_900;
        let envelope = Envelope {
            created,
            started: created - 800,
            ..Envelope::default()
        };
        assert_eq!(envelope.header(), br#"{"ct":1700000000.25,"v":2}|"#);
    }

    #[test]
    fn what_python_wrote_is_read() {
        let stored = b"{\"ct\": 1700000000.25, \"v\": 2}|\"a|b\"";
        let (envelope, payload) = Envelope::split(stored).unwrap();
        assert_eq!(envelope.created, 1_700_000_000_250_000_000);
        assert_eq!(envelope.started, envelope.created);
        assert_eq!(payload, b"\"a|b\"");
    }

    #[test]
    fn what_is_no_envelope_is_damaged_and_a_pickle_foreign() {
        fn reason(stored: &[u8]) -> MissReason {
            Envelope::split(stored).unwrap_err().reason
        }
        assert_eq!(reason(b"\x80\x04."), MissReason::Foreign);
        assert_eq!(reason(b"\x80\x04{}|"), MissReason::Foreign);
        for version in ["1", "3"] {
            let stored = format!("{{\"ct\": 1, \"v\": {version}}}|1");
            assert_eq!(reason(stored.as_bytes()), MissReason::Version);
        }
        for stored in [
            &b""[..],
            b"|",
            b"{}|1",
            b"[1, 2]|1",
            b"text",
            b"\x80.|",
            b"{\"ct\": 1, \"v\": -1}|1",
            b"{\"ct\": \"x\", \"v\": 2}|1",
            b"{\"ct\": 1, \"v\": 2",
            b"{\"ct\": 1e400, \"v\": 2}|1",
            b"{\"ct\": Infinity, \"v\": 2}|1",
            b"{\"ct\": 1, \"v\": 2, \"sz\": 5}|1",
        ] {
            assert_eq!(reason(stored), MissReason::Damaged, "{stored:?}");
        }
    }

    #[test]
    fn unknown_keys_are_ignored_and_strange_times_do_no_harm() {
        let (envelope, _) = Envelope::split(b"{\"ct\": -1e300, \"v\": 2, \"x\": [1]}|").unwrap();
        assert_eq!(envelope.created, 0);
        let (envelope, _) = Envelope::split(b"{\"ct\": 1e300, \"v\": 2}|").unwrap();
        assert_eq!(envelope.created, u64::MAX);
    }
}
