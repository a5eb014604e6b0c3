//! The backend `dbm`: a file that processes of one machine share, with a creation lock for each key. It needs no server.
//!
//! ```toml
//! [plugins.dbm]
//!
//! [regions.users]
//! backend = "dbm"
//! expiration_time = "5m"
//!
//! [regions.users.arguments]
//! filename = "/var/cache/myapp/users"
//! ```
//!
//! | argument | default | meaning |
//! |---|---|---|
//! | `filename` | must be given | the data file, in a folder that is there |
//! | `dogpile_lockfile` | `true`: `FILENAME.dogpile.lock` | the lock file of creations: another path, or `false` for the lock within the process alone |
//! | `dogpile_lock_scope` | `"key"` | what a creation locks for other processes; `"file"` is what Python's dogpile does: while one process creates anything, no other creates |
//! | `rw_lockfile` | `false` | a lock file that reads share and a write has alone: `true` for `FILENAME.rw.lock`, or a path |
//! | `max_bytes` | `"256MiB"` | the room that entries may take in the file, about; the oldest go when it is full |
//! | `cache_bytes` | `"32MiB"` | how much of the file each process keeps in memory at most |
//! | `durability` | `"process"` | what entries survive; `"power"` has each write wait for the disk |
//!
//! # What is promised
//!
//! - Each call sees or makes all of its changes or none, whichever processes are killed meanwhile: a value is whole and
//!   its key's, or absent. `set_multi` and `delete_multi` are one transaction. Reads do not wait for writes; writes, of
//!   all processes, take turns.
//! - Of all processes one creates a key at a time. The kernel has the locks: when a process ends, however it does, the
//!   next begins at once.
//! - With `durability = "process"` entries survive the death of any process at any moment. After the machine has
//!   started again the file is thrown away, as parts of it may be old. With `"power"` what was stored survives that.
//! - Each value has a checksum of its own, over its key too: a damaged one is a miss, with a warning. A file that is
//!   damaged is moved to `FILENAME.damaged`, over the one before it, with an error in the log, and all processes go on
//!   with a new one. A file of another program (gdbm, `SQLite`, `dbm.dumb`, anything else) is refused and not touched.
//! - Without room on the disk, stores give errors, and everything stored before can be read and deleted. On a disk that
//!   cannot even write over what is there, the file cannot be opened, which is an error, and stays as it is.
//! - What is past its `keep_until` is not found. Each write removes up to 16 such entries, so that without writes they
//!   stay in the file. Counted are keys, values and about what pages waste: files of values from 50 bytes to 1 MB that
//!   were written over and over were 1.0 to 2.1 times `max_bytes` large. No file grows beyond four times `max_bytes`, or
//!   16 MiB where that is more: it is thrown away instead, and begun anew. That happens while a process is stopped in
//!   the middle of a read, for which all that was written since is kept; it keeps its file on the disk until it goes on.
//! - A write removes at most 64 entries to make room, or as many as it adds room: where `max_bytes` was lowered, the next
//!   writes go there in steps. Of a `set_multi` larger than `max_bytes` the last entries are stored.
//!
//! `rw_lockfile` is off, since redb keeps the processes that use this plugin apart without it. With four processes at work it
//! made the median read 13 % slower, and the slowest hundredth 30 times, as reads wait for writes then. Switch it on for a
//! program beside them that locks that file, such as one that copies the data file while nobody writes.
//!
//! # What is not
//!
//! - There is no lease: a process that is stopped (SIGSTOP, a debugger, a frozen container) while it creates keeps its
//!   key until it goes on or dies; `lock_timeout` has no effect here. Let callers have a `lock_wait`. One that is stopped
//!   in the middle of a write holds up the writes of all.
//! - So `delete` and `invalidate` in another process during a creation do not keep its value from being stored.
//! - Processes whose creators wait for each other's keys: the wait ends with an error after `lock_timeout`, or the
//!   region's `lock_wait` where there is one.
//! - Machines: network file systems (NFS, SMB, 9P and others) are refused when the file is opened. Containers can share a
//!   file by a volume of one machine.
//! - A reboot is told by the kernel's boot id, so that a file system which is moved to another running machine is
//!   thrown away too, unless `durability = "power"`.
//! - All processes must use the same version of redb, which this plugin pins: one with another protocol of locks is
//!   refused while the file is open. They must agree on `durability`, and on `dogpile_lock_scope`; one that differs is
//!   refused. Sizes may differ; each process keeps to its own.
//!
//! # When its arguments are changed
//!
//! A live host opens an instance with the new ones beside the old one, which is as two processes are with the file, gives it
//! to the region at once, and closes the old one after its last call: no call fails, and what is stored stays. So no argument
//! is changed in place. For as long as both are open, each has up to `cache_bytes` in memory; the new one begins with none.
//! What is being created just then goes to its callers and is not stored; its lock keeps others from creating it until that
//! ends. Another `durability` or `dogpile_lock_scope` is refused, since the old instance has the file open with its own: it
//! takes a restart of all processes that have it open.
//!
//! # Files
//!
//! Beside the data file stand `FILENAME.state`, which says which file it is and when the machine started, the lock files,
//! and what was moved aside. All are made for their owner and its group, as far as the umask lets them be, and not for
//! others, who could read the values or keep the lock files locked. In a folder that anyone can write to, what another
//! user than root owns is refused. What is no file is refused, and so is a link in the place of the state file.
//!
//! Lock files stay empty and are never removed. The data file and the state file may be removed at any time: who has them
//! open begins anew. Who creates while the lock file is removed holds its keys in the removed one, and another process can
//! create them too, once. A data file without its state file, or in another place than the one that it names, such as a
//! copy, is thrown away.
//!
//! # Creation locks
//!
//! A creation locks one byte of the lock file, at the place of the first 62 bits of its key's SHA-1, by a lock that belongs
//! to the open file and not to the process: two copies of this plugin in one process keep out of each other's way. Who
//! waits is woken by the kernel. One thread waits for each contended key, up to 64 of them; callers beyond that look every
//! 10 to 30 ms. A blocked thread cannot be called back: when its instance is closed it stays, holding nothing, until it
//! gets the lock, and gives it back at once.
//!
//! After `fork`, a child that uses an instance of its parent's opens the files again, and holds none of the parent's locks.
//! A child that neither uses it nor calls `exec` keeps the parent's files open, so that what a parent held when it was
//! killed stays locked until the child ends. As always, forking while other threads are within calls may leave the child
//! with locks that nobody frees.

#![forbid(unsafe_code)]

mod arguments;
mod byte_size;
mod dbm;
mod failure;
mod file;
mod keys;
mod lock_file;
mod locks;
mod record;
mod store;
#[cfg(test)]
mod tests;

use dogpile_plugin_api::export_plugin;

pub use self::arguments::{DbmArguments, Durability, Scope};
pub use self::byte_size::ByteSize;
pub use self::dbm::Dbm;
pub use self::keys::keys;
pub use self::lock_file::LockFile;

/// The target of the log records which tell that the entries of a file are lost: it was damaged, or thrown away for
/// another reason than that the machine started. For programs that show these and no others.
pub const LOST: &str = "dogpile_plugin_dbm::lost";

export_plugin! { backends: { "dbm" => Dbm } }
