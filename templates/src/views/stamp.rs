use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, SystemTime};

/// How long after its last change a file is read again at each look. Two writes within one tick of a file system's
/// clock leave the same times behind; no file system in use ticks slower than every two seconds.
const SETTLING: Duration = Duration::from_secs(2);

/// What one `stat` tells about a file or folder. Equal and settled stamps mean an unchanged file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    /// Set by the kernel alone, so it also tells of a file that was changed and given its old time again.
    changed: (i64, i64),
    /// Whether the last change was long enough before the look that a later one cannot hide behind equal times.
    settled: bool,
}

impl Stamp {
    /// The stamp of something that was looked at at `now`, a time from before the `stat`.
    pub(crate) fn new(metadata: &Metadata, now: SystemTime) -> Self {
        let changed = (metadata.ctime(), metadata.ctime_nsec());
        let settled = u64::try_from(changed.0).is_ok_and(|seconds| {
            let changed = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds + 1));
            changed
                .and_then(|changed| now.duration_since(changed).ok())
                .is_some_and(|age| age >= SETTLING)
        });
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed,
            settled,
        }
    }

    /// Whether what bore this stamp and now bears `now` is certainly the same.
    pub(crate) fn proves_unchanged(&self, now: &Stamp) -> bool {
        self.settled && *self == *now
    }
}
