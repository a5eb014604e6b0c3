//! Marks as the record that processes share: `{"hard": unix_seconds, "soft": unix_seconds}`, and for tags `"tagged"`
//! and `"tags": {name: …}` of the same form. What is not there is 0: never.

use std::collections::HashMap;

use dogpile_lock::Outdated;
use serde::{Deserialize, Serialize};

use super::marks::{Marks, Target};
use crate::wire_time::{nanoseconds, seconds};

#[derive(Default, Serialize, Deserialize)]
struct Times {
    #[serde(default)]
    hard: f64,
    #[serde(default)]
    soft: f64,
}

#[derive(Serialize, Deserialize)]
struct Record {
    #[serde(flatten)]
    region: Times,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tagged: Option<Times>,
    #[serde(default, skip_serializing_if = "HashMap::is_empty")]
    tags: HashMap<Box<str>, Times>,
}

impl Times {
    fn of(times: Outdated) -> Self {
        Self {
            hard: seconds(times.hard),
            soft: seconds(times.soft),
        }
    }

    fn outdated(&self) -> Outdated {
        Outdated {
            hard: nanoseconds(self.hard),
            soft: nanoseconds(self.soft),
        }
    }
}

impl Marks {
    pub(crate) fn to_json(&self) -> Vec<u8> {
        let mut record = Record {
            region: Times::of(self.region()),
            tagged: None,
            tags: HashMap::new(),
        };
        for (target, mark) in self.each() {
            match target {
                Target::Region => {}
                Target::Tagged => {
                    record.tagged = (mark != Outdated::default()).then(|| Times::of(mark));
                }
                Target::Tag(tag) => {
                    record.tags.insert(tag.into(), Times::of(mark));
                }
            }
        }
        serde_json::to_vec(&record).expect("names and numbers are always serialisable")
    }

    /// `None` if it is no record.
    pub(crate) fn from_json(json: &[u8]) -> Option<Self> {
        let record: Record = serde_json::from_slice(json).ok()?;
        let tags = record.tags.into_iter();
        Some(Self::from_parts(
            record.region.outdated(),
            record.tagged.unwrap_or_default().outdated(),
            tags.map(|(tag, times)| (tag, times.outdated())).collect(),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::slot::Invalidation;

    #[test]
    fn a_record_is_read_back_as_it_was() {
        let mut marks = Marks::default();
        marks.raise(
            Target::Region,
            Invalidation::Hard,
            1_700_000_000_250_001_000,
        );
        assert_eq!(
            String::from_utf8(marks.to_json()).unwrap(),
            r#"{"hard":1700000000.250001,"soft":0.0}"#
        );
        marks.raise(
            Target::Tagged,
            Invalidation::Soft,
            1_700_000_001_000_000_000,
        );
        marks.raise(
            Target::Tag("a|\"b"),
            Invalidation::Hard,
            1_700_000_002_000_003_000,
        );
        assert_eq!(Marks::from_json(&marks.to_json()), Some(marks));
    }

    #[test]
    fn a_record_by_another_hand_is_read() {
        let json = br#" {"soft": 1700000000, "x": [1], "tags": {"t": {"hard": 1700000000.5}}}"#;
        let marks = Marks::from_json(json).unwrap();
        assert_eq!(marks.region().soft, 1_700_000_000_000_000_000);
        assert_eq!(
            marks.at(Target::Tag("t"), Invalidation::Hard),
            1_700_000_000_500_000_000
        );
    }

    #[test]
    fn what_is_no_record_is_told_apart() {
        for json in [
            &b""[..],
            b"[1, 2]",
            b"text",
            br#"{"hard": "x"}"#,
            br#"{"tags": 1}"#,
        ] {
            assert_eq!(Marks::from_json(json), None, "{json:?}");
        }
    }
}
