//! dogpile's envelope: `{"ct": 1700000000.25, "v": 2}|payload`.
//!
//! `ct` is when creation ended, in Unix seconds; `v` is 2, the version of the format. Keys of ours, which Python
//! ignores: `st` (when creation started; left out when equal to `ct`), `vv` (`value_version`; left out when 0), `ku`
//! (`keep_until`; left out when never), `tags` (an array of strings; left out when there are none). The JSON holds no
//! `|`, at the first of which Python splits: in a tag it is written `\u007c`.

use dogpile_plugin_api::Metadata;
use serde::{Deserialize, Serialize};

use crate::slot::{MissReason, Tags};
use crate::wire_time::{nanoseconds, seconds};

/// The version of the format, the only one that there is.
const FORMAT: u32 = 2;

/// What the envelope says, in nanoseconds since 1970.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Envelope {
    pub(crate) created: u64,
    pub(crate) started: u64,
    pub(crate) keep_until: u64,
    pub(crate) value_version: u32,
    pub(crate) tags: Tags,
}

#[derive(Serialize, Deserialize)]
struct Wire {
    ct: f64,
    v: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    st: Option<f64>,
    #[serde(default, skip_serializing_if = "is_zero")]
    vv: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ku: Option<f64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    tags: Vec<Box<str>>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

impl Envelope {
    pub(crate) fn of(metadata: &Metadata, value_version: u32, tags: Tags) -> Self {
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
            value_version,
            tags,
        }
    }

    /// The envelope as it stands before a payload, with the bar.
    pub(crate) fn header(&self) -> Vec<u8> {
        let wire = Wire {
            ct: seconds(self.created),
            v: FORMAT,
            st: (self.started != self.created).then(|| seconds(self.started)),
            vv: self.value_version,
            ku: (self.keep_until != 0).then(|| seconds(self.keep_until)),
            tags: self.tags.iter().map(Into::into).collect(),
        };
        let mut header = serde_json::to_string(&wire).expect("these are always serialisable");
        if !self.tags.is_empty() {
            // JSON has none outside of strings.
            header = header.replace('|', r"\u007c");
        }
        header.push('|');
        header.into_bytes()
    }

    /// Splits what is stored into envelope and payload.
    pub(crate) fn split(stored: &[u8]) -> Result<(Self, &[u8]), MissReason> {
        let bar = stored.iter().position(|byte| *byte == b'|');
        let (header, payload) = stored.split_at(bar.ok_or(MissReason::Foreign)?);
        // A sequence would be read as a struct too.
        if !header.trim_ascii_start().starts_with(b"{") {
            return Err(MissReason::Foreign);
        }
        let wire: Wire = serde_json::from_slice(header).map_err(|_| MissReason::Foreign)?;
        if wire.v != FORMAT {
            return Err(MissReason::Foreign);
        }
        let created = nanoseconds(wire.ct);
        let envelope = Self {
            created,
            started: wire.st.map_or(created, nanoseconds),
            keep_until: wire.ku.map_or(0, nanoseconds),
            value_version: wire.vv,
            tags: Tags::new(wire.tags),
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
            value_version: 3,
            tags: Tags::new(["b|\"", "a", "b|\""]),
            ..plain
        };
        assert_eq!(
            String::from_utf8(full.header()).unwrap(),
            r#"{"ct":1700000000.25,"v":2,"st":1700000000.0,"vv":3,"ku":1700000000.75,"tags":["a","b\u007c\""]}|"#
        );
        assert_eq!(Envelope::split(&full.header()), Ok((full, &b""[..])));
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
                let (read, _) = Envelope::split(&envelope.header()).unwrap();
                assert_eq!(read.started, started);
            }
        }
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
    fn what_is_not_an_envelope_is_foreign() {
        for stored in [
            &b""[..],
            b"|",
            b"{}|1",
            b"[1, 2]|1",
            b"text",
            b"\x80\x04.|",
            b"{\"ct\": 1, \"v\": 1}|1",
            b"{\"ct\": \"x\", \"v\": 2}|1",
            b"{\"ct\": 1, \"v\": 2",
        ] {
            assert_eq!(
                Envelope::split(stored),
                Err(MissReason::Foreign),
                "{stored:?}"
            );
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
