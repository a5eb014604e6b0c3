//! Creation locks: one for each key, or one for the file, that the kernel keeps for as long as the process lives.

mod creation_locks;
mod kernel;
mod mutex;
mod offset;
mod scope;
mod table;
mod waiting;

pub(crate) use self::creation_locks::CreationLocks;
pub(crate) use self::mutex::KeyMutex;
