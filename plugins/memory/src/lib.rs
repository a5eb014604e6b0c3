//! The backend `memory`: keeps values in this process, bounded by number and by weight.
//!
//! A hit is one look-up under a shared lock and one counted reference: nothing is copied, serialised or allocated. What
//! is evicted is chosen by [S3-FIFO](https://s3fifo.com), which keeps what is asked for again and lets a scan pass
//! through a small part of the room.
//!
//! | argument | default | meaning |
//! |---|---|---|
//! | `max_entries` | 10000 | how many entries at most; `"unbounded"` for any number |
//! | `max_bytes` | no limit | how much they weigh at most: bytes, or a string such as `"64MiB"`. A value heavier than all of it is not stored |
//! | `time_to_idle` | no limit | an entry that nobody asked for in this time is gone: seconds, or a string such as `"5m"` |
//! | `storage` | `"objects"` | `"bytes"`: each hit gives a fresh copy, made from the serialised value |
//!
//! Both limits hold at every moment, whatever the threads do. What is past its `keep_until` or its idle time is
//! removed by and by as others are stored: a store looks at a few entries of its own part of the table, and one in
//! eight at some of another part, each time the next. It goes before what is still wanted where a short look finds it.
//! While nothing is stored, nothing is removed, but for idle entries that are asked for.
//!
//! All arguments but `storage` can be changed while it is in use: what is in it stays, but for what is too much then. Its
//! table stays divided as it was opened, for up to a few hundred threads where it was large, and for few where it had
//! room for less than a thousand entries: for much larger limits a new instance serves many threads better.

#![forbid(unsafe_code)]

mod arguments;
mod budget;
mod fragment;
mod ghost;
mod idle;
mod mark;
mod memory;
mod queues;
mod removed;
mod shard;
mod store;
mod sweep;
mod text;

use dogpile_plugin_api::export_plugin;

pub use self::arguments::{ByteSize, Kept, MaxEntries, MemoryArguments, TimeToIdle};
pub use self::memory::Memory;

export_plugin! { backends: { "memory" => Memory } }
