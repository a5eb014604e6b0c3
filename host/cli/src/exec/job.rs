//! What is to be done, and how far it is.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::time::{Duration, SystemTime};

use dogpile::Cached;

use super::around::Around;
use super::key::Key;
use super::line::Line;
use super::options::Options;
use super::record::Record;
use super::running::{Ran, Trouble};

/// A command to get the output of.
pub(super) struct Job {
    pub(super) line: Line,
    pub(super) key: Key,
    pub(super) options: Options,
    pub(super) manifest: PathBuf,
    /// The runs of which this one is a part.
    pub(super) around: Around,
    /// How long another's run may be waited for.
    pub(super) timeout: Option<Duration>,
    pub(super) came: SystemTime,
    pub(super) claimed: AtomicBool,
    pub(super) news: Sender<News>,
}

/// How far the cache is with it.
pub(super) enum News {
    /// It is open, and answers.
    Opened,
    /// The entries of a file are lost.
    Lost(String),
    /// The command was run here, and has ended.
    Ran(Box<Ran>),
    /// That is what there is.
    Ended(Fetched),
}

pub(super) enum Fetched {
    Record(Cached<Record>),
    Refused(Refusal),
    /// Another's run takes longer than this call waits.
    NotAwaited,
    Failed(anyhow::Error),
}

/// Why no record was created that is kept.
#[derive(Clone, Debug)]
pub(super) enum Refusal {
    /// The command is run without the cache by now, or was run for others.
    TooLate,
    Trouble(Arc<Trouble>),
    /// It was run here, and told so.
    NotKept,
    /// It was run by another while this one waited, and is not kept.
    Others(Arc<Record>),
    /// The same, and it is not even known what it printed.
    OthersTooLarge,
}

impl Job {
    /// Who runs the command: true once.
    pub(super) fn claim(&self) -> bool {
        !self.claimed.swap(true, Ordering::SeqCst)
    }

    /// Nobody listens any more if it took too long.
    pub(super) fn tell(&self, news: News) {
        let _gone = self.news.send(news);
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLate => f.write_str("the command is or was run elsewhere"),
            Self::Trouble(trouble) => write!(f, "the command was not run: {trouble:?}"),
            Self::NotKept => f.write_str("the run is not kept"),
            Self::Others(record) => write!(f, "another's run ended with {}", record.end),
            Self::OthersTooLarge => f.write_str("another's run printed more than is kept"),
        }
    }
}

impl std::error::Error for Refusal {}

#[cfg(test)]
pub(super) mod tests {
    use std::sync::mpsc::{self, Receiver};

    use super::*;
    use crate::exec::options::tests::options;

    /// A call with these arguments, and where its news come.
    pub(in crate::exec) fn job(arguments: &[&str]) -> (Arc<Job>, Receiver<News>) {
        let options = options(arguments);
        let line = Line::here(options.command.clone());
        let key = Key::new(&line, &options).unwrap().unwrap();
        let (news, heard) = mpsc::channel();
        let job = Job {
            line,
            key,
            options,
            manifest: PathBuf::new(),
            around: Around::default(),
            timeout: None,
            came: SystemTime::now(),
            claimed: AtomicBool::new(false),
            news,
        };
        (Arc::new(job), heard)
    }
}
