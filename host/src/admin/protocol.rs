//! What is said over the socket.

use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::region::{Expiration, Explanation, ValueMetadata};
use crate::reload::Reload;
use crate::status::{HostStatus, PluginDescription};
use crate::{Error, ErrorKind};

/// The version of the protocol. A host answers messages of its own version only.
pub(super) const VERSION: u32 = 1;

/// The line of a message. `body` bytes follow it.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Line<T> {
    pub(super) version: u32,
    pub(super) message: T,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(super) body: usize,
}

/// As much of a line as every version has.
#[derive(Deserialize)]
pub(super) struct AnyLine {
    pub(super) version: u32,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Request {
    Status,
    Plugins,
    Reload,
    /// What a reload would do.
    Plan,
    /// The same, if that manifest were in the place of the host's.
    PlanOf {
        manifest: PathBuf,
    },
    Get {
        region: String,
        key: String,
    },
    /// The value is the body.
    Set {
        region: String,
        key: String,
    },
    Delete {
        region: String,
        key: String,
    },
    /// Removes all that the region's backend holds.
    Clear {
        region: String,
    },
    /// Outdates all values, or those with one of the tags.
    Invalidate {
        region: String,
        #[serde(default, skip_serializing_if = "is_false")]
        soft: bool,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        tags: Vec<String>,
    },
    /// What a caller of a key would get.
    Explain {
        region: String,
        key: String,
    },
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Answer {
    Status(Box<HostStatus>),
    Plugins(Vec<PluginDescription>),
    Reload(Reload),
    /// The value is the body.
    Value(Times),
    /// There is no such value.
    Absent,
    Explanation(Box<Explanation>),
    Done,
    Failed(Failure),
    /// The host is at it, and the answer follows.
    Working,
}

/// A value's metadata, in nanoseconds, the times since 1970.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Times {
    cached_time: u64,
    started_time: u64,
    age: u64,
    keep_until: Option<u64>,
    value_version: u32,
    /// The value's own; `u64::MAX` is never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expiration_time: Option<u64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    tags: Vec<String>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Failure {
    kind: String,
    message: String,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_zero(number: &usize) -> bool {
    *number == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_false(what: &bool) -> bool {
    !*what
}

/// Those that a client acts on; all others are "the host refused".
const KINDS: [ErrorKind; 6] = [
    ErrorKind::NoSuchRegion,
    ErrorKind::RegionNotConfigured,
    ErrorKind::Configuration,
    ErrorKind::Backend,
    ErrorKind::Serializer,
    ErrorKind::NoExpirationTime,
];

impl From<&Error> for Failure {
    fn from(error: &Error) -> Self {
        Self {
            kind: format!("{:?}", error.kind()),
            message: error.to_string(),
        }
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        let kind = KINDS
            .into_iter()
            .find(|kind| format!("{kind:?}") == failure.kind);
        Self::new(kind.unwrap_or(ErrorKind::Admin), failure.message)
    }
}

impl From<&ValueMetadata> for Times {
    fn from(metadata: &ValueMetadata) -> Self {
        let since =
            |time: SystemTime| nanoseconds(time.duration_since(UNIX_EPOCH).unwrap_or_default());
        Self {
            cached_time: since(metadata.cached_time),
            started_time: since(metadata.started_time),
            age: nanoseconds(metadata.age),
            keep_until: metadata.keep_until.map(since),
            value_version: metadata.value_version,
            expiration_time: metadata.expiration_time.map(Expiration::nanoseconds),
            tags: metadata.tags.clone(),
        }
    }
}

impl From<Times> for ValueMetadata {
    fn from(times: Times) -> Self {
        let time = |nanoseconds| UNIX_EPOCH + Duration::from_nanos(nanoseconds);
        Self {
            cached_time: time(times.cached_time),
            started_time: time(times.started_time),
            age: Duration::from_nanos(times.age),
            keep_until: times.keep_until.map(time),
            value_version: times.value_version,
            expiration_time: times.expiration_time.map(Expiration::from_nanoseconds),
            tags: times.tags,
        }
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(request: Request, body: usize) -> String {
        let line = Line {
            version: VERSION,
            message: request,
            body,
        };
        serde_json::to_string(&line).unwrap()
    }

    #[test]
    fn lines_are_as_documented() {
        assert_eq!(
            json(Request::Status, 0),
            r#"{"version":1,"message":"status"}"#
        );
        let (region, key) = ("pages".to_owned(), "a".to_owned());
        assert_eq!(
            json(Request::Set { region, key }, 5),
            r#"{"version":1,"message":{"set":{"region":"pages","key":"a"}},"body":5}"#
        );
    }

    #[test]
    fn metadata_comes_back_as_it_was() {
        let metadata = ValueMetadata {
            cached_time: UNIX_EPOCH + Duration::from_nanos(1_700_000_000_123_456_789),
            started_time: UNIX_EPOCH + Duration::from_nanos(1_700_000_000_023_456_789),
            age: Duration::from_millis(12),
            keep_until: Some(UNIX_EPOCH + Duration::from_millis(1_700_000_100_500)),
            value_version: 3,
            expiration_time: None,
            tags: vec!["a".to_owned()],
        };
        for expiration_time in [
            None,
            Some(Expiration::Never),
            Some(Expiration::After(Duration::from_millis(5))),
        ] {
            let metadata = ValueMetadata {
                expiration_time,
                ..metadata.clone()
            };
            assert_eq!(ValueMetadata::from(Times::from(&metadata)), metadata);
        }
    }

    #[test]
    fn an_error_keeps_its_text_and_the_kinds_that_matter() {
        for (kind, expected) in [
            (ErrorKind::Configuration, ErrorKind::Configuration),
            (ErrorKind::Circle, ErrorKind::Admin),
        ] {
            let error = Error::from(Failure::from(&Error::new(kind, "a\nb")));
            assert_eq!(
                (error.kind(), error.to_string().as_str()),
                (expected, "a\nb")
            );
        }
    }
}
