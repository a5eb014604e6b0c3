//! What is asked of a server, whichever protocol it is asked in.

use std::borrow::Cow;

/// One thing that is asked of a server.
#[derive(Clone, Debug)]
pub(crate) enum Command<'a> {
    /// What is under a key.
    Get(&'a str),
    /// As `Get`, where the value itself is not wanted, and is left out if the protocol can.
    Look(&'a str),
    Store(Store<'a>),
    /// Adds to what is there, if it is still that.
    Append {
        key: &'a str,
        bytes: &'a [u8],
        cas: u64,
    },
    /// Removes what is there, or only if it is still that.
    Delete {
        key: &'a str,
        cas: Option<u64>,
    },
    /// Asks for an answer.
    Ping,
}

#[derive(Clone, Debug)]
pub(crate) struct Store<'a> {
    pub(crate) key: &'a str,
    pub(crate) bytes: Cow<'a, [u8]>,
    pub(crate) flags: u32,
    /// As the protocol has it: 0 is for ever, and over 30 days it is seconds since 1970.
    pub(crate) ttl: u32,
    pub(crate) when: When,
}

/// On which condition something is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum When {
    Always,
    /// Nothing is there.
    Absent,
    /// It is still what had that number.
    Unchanged(u64),
}

/// What a server did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    Found(Item),
    /// Nothing is there.
    Absent,
    /// Something is there: another than was expected.
    Present,
    /// It was done, and what was stored has that number; 0 where nothing was.
    Done(u64),
}

/// What is under a key. Each store gives it another number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Item {
    pub(crate) bytes: Vec<u8>,
    pub(crate) flags: u32,
    pub(crate) cas: u64,
}

/// Why a server did not do one of the things that it was asked for. The others are done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    TooLarge,
    OutOfMemory,
    /// It cannot tell whether something is still what it was.
    Unnumbered,
    /// It is another of the servers too.
    Twin,
    Other(String),
}

/// What became of a command.
pub(crate) type Outcome = Result<Reply, Refusal>;

impl Command<'_> {
    pub(crate) fn key(&self) -> &str {
        match self {
            Self::Get(key)
            | Self::Look(key)
            | Self::Store(Store { key, .. })
            | Self::Append { key, .. }
            | Self::Delete { key, .. } => key,
            Self::Ping => "",
        }
    }

    /// Whether doing it twice comes to the same as doing it once.
    pub(crate) fn is_repeatable(&self) -> bool {
        match self {
            Self::Get(_) | Self::Look(_) | Self::Ping => true,
            Self::Store(store) => store.when == When::Always,
            Self::Append { .. } => false,
            Self::Delete { cas, .. } => cas.is_none(),
        }
    }

    /// Whether it changes what is under a key, whatever that is.
    pub(crate) fn is_change(&self) -> bool {
        !self.is_read() && self.is_repeatable() && !matches!(self, Self::Ping)
    }

    pub(crate) fn is_read(&self) -> bool {
        matches!(self, Self::Get(_) | Self::Look(_))
    }
}

impl Refusal {
    /// Ends a sentence that begins with the server.
    pub(crate) fn told(&self) -> String {
        match self {
            Self::TooLarge => String::from(
                "holds no value of that size: raise its `-I`, or compress (`min_compress_len`)",
            ),
            Self::OutOfMemory => String::from(
                "has no memory left and evicts nothing: raise its `-m`, or start it without `-M`",
            ),
            Self::Unnumbered => String::from(
                "does without compare-and-set, and locks need it: start it without `-C`, or set `distributed_lock = false`",
            ),
            Self::Twin => String::from("is in `url` by another name too: name each server once"),
            Self::Other(said) => format!("refused: {said}"),
        }
    }
}
