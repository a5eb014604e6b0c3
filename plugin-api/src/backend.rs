//! The trait of a storage backend.

use std::time::Duration;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::{Error, ErrorKind, HostContext, Key, Lease, Mutex, Result, Value};

/// A storage backend: write `open`, `get`, `set` and `delete`; the rest has defaults.
///
/// An instance serves every region that names it, from any number of threads at once.
///
/// Where a method does not say otherwise, it is called on the thread of the caller who wants the value, or on one of the
/// host's: for asynchronous callers, unless [`Backend::blocking`] is false; for creations in the background; and in regions
/// with a `call_timeout`. It may block: what it waits for, the caller waits for, and none of the host's locks is held
/// meanwhile. So let it have a time-out, and tell it by [`Backend::longest_call`].
///
/// An error makes the host go on without the cache or fail, as the region's `on_backend_error` says, and counts for the
/// breaker as its [kind](ErrorKind) says; a panic is caught and reported as an error, and the instance is not called again.
///
/// What an instance says of itself ([`storage`](Self::storage), [`blocking`](Self::blocking), [`exclusive`](Self::exclusive),
/// [`shared`](Self::shared), [`longest_call`](Self::longest_call), [`key_mangler`](Self::key_mangler)) is asked once, on the
/// thread that opened it, and must not block.
///
/// Dropping the last reference to an object runs the program's code, which may call this backend again. On the caller's
/// thread the host puts that off to the end of the call, whatever locks are held; but in `get`, which is to be quick,
/// and on threads of its own, a backend of [`Storage::Objects`] drops values outside of its locks.
pub trait Backend: Send + Sync + Sized + 'static {
    /// What the manifest's `arguments` hold. Unknown keys are refused before `open` is called.
    type Arguments: DeserializeOwned + JsonSchema;

    /// Makes an instance: one for each region, or for regions with the same arguments that share their keys. Called on a thread of its own and never in a caller's call; it
    /// may block for as long as `[host] open_timeout`. What comes later than that is closed at once.
    ///
    /// An error refuses the manifest, which names the place of one of kind [`ErrorKind::Arguments`]. Where the instance takes
    /// the place of one that panicked, it is tried again, after 30 seconds at most.
    fn open(arguments: Self::Arguments, host: &HostContext) -> Result<Self>;

    /// The value of `key`, or `None`. Whether it is still fresh is the host's matter. A storage that does not answer is an
    /// error and no miss.
    fn get(&self, key: &Key) -> Result<Option<Value>>;

    /// Stores `value` in place of what `key` had. It may keep the value itself: it is counted, not copied. After an error
    /// either is there, or nothing; whoever created the value has it all the same.
    fn set(&self, key: &Key, value: &Value) -> Result<()>;

    /// Removes `key`; no error if it was not there. An error goes to who wants it removed, in any region. Where the mutex of the key is held under a lease that passes by
    /// itself, this is to be noted beside that lease, for [`Backend::set_guarded`], before the value is removed. The
    /// same is true of [`Backend::delete_multi`] and [`Backend::clear`].
    fn delete(&self, key: &Key) -> Result<()>;

    /// The values of `keys`, in their order, `None` for each that is missing; a key may come twice. An error is one for all of
    /// them. Default: one `get` each; the first error ends it.
    fn get_multi(&self, keys: &[Key]) -> Result<Vec<Option<Value>>> {
        keys.iter().map(|key| self.get(key)).collect()
    }

    /// Stores all. After an error any of them may be stored. Default: one `set` each; the first error ends it.
    fn set_multi(&self, entries: &[(Key, Value)]) -> Result<()> {
        entries
            .iter()
            .try_for_each(|(key, value)| self.set(key, value))
    }

    /// Removes all. An error goes to who wants them removed, and any of them may be. Default: one `delete` each; the first
    /// error ends it.
    fn delete_multi(&self, keys: &[Key]) -> Result<()> {
        keys.iter().try_for_each(|key| self.delete(key))
    }

    /// Reads after the creation lock was taken, from the primary where there are replicas. Default: `get`.
    fn get_fresh(&self, key: &Key) -> Result<Option<Value>> {
        self.get(key)
    }

    /// As `get_multi`, after the creation locks of all `keys` were taken: from the primary where there are replicas. The
    /// host asks for each key by itself if this fails, so that one key that cannot be read hides none of the others.
    /// Default: one `get_fresh` each; the first error ends it.
    fn get_multi_fresh(&self, keys: &[Key]) -> Result<Vec<Option<Value>>> {
        keys.iter().map(|key| self.get_fresh(key)).collect()
    }

    /// Removes everything that this instance stores, of all its regions. An error goes to who wants that. Default: an error,
    /// unsupported.
    fn clear(&self) -> Result<()> {
        Err(Error::unsupported("this backend cannot be cleared"))
    }

    /// Whether the storage answers. Called on a thread of the host's, which may block: by `check`, and at reloads of what is
    /// new, where an error or no answer within `[host] open_timeout` refuses the manifest unless it says `require_healthy =
    /// false`; and while a breaker is open, up to every 400 ms, until it gives no error. Default: it does.
    fn ping(&self) -> Result<()> {
        Ok(())
    }

    /// How much it holds. Called for who asks the host for numbers, who is told of an error. Default: nothing known.
    fn stats(&self) -> Result<BackendStats> {
        Ok(BackendStats::default())
    }

    /// Called once, after the last call of any other method and before the drop, on a thread of the host's that may
    /// block: flush and disconnect here, and end threads of its own. An error is logged, and it is dropped all the same.
    /// Default: nothing.
    fn close(&self) -> Result<()> {
        Ok(())
    }

    /// Whether it wants bytes or can hold the host's objects. Asked once, after `open`. Default: bytes.
    fn storage(&self) -> Storage {
        Storage::Bytes
    }

    /// Whether its calls can block, so that async callers must not make them on their own thread. Asked once, after
    /// `open`. Default: yes.
    fn blocking(&self) -> bool {
        true
    }

    /// Whether only one instance may be open at a time, so that an old one is closed before its successor opens. Between the
    /// two, calls are errors of kind [`ErrorKind::Suspended`]; if the successor does not open, the old one is opened again.
    /// Asked once, after `open`. Default: no.
    fn exclusive(&self) -> bool {
        false
    }

    /// Whether other processes see the same entries. Then the host keeps a record of invalidations among them, under
    /// `{key_prefix}_dogpile_inv:{region}`, which it reads each `invalidation_interval`. Asked once, after `open`.
    /// Default: yes.
    fn shared(&self) -> bool {
        true
    }

    /// How long one of its calls may take at most, by its own time-outs, if it has any: a host does not take a call for one
    /// that hangs before that time and a second have passed, whatever `hang_after` says. Of calls that may take longer by
    /// nature, such as `clear` or those with many keys, it says what holds for one key. Asked once, after `open`. Default:
    /// it does not know.
    fn longest_call(&self) -> Option<Duration> {
        None
    }

    /// The creation mutex of `key`, which other processes respect too. `None`: the lock within the process is all
    /// there is. Called for each creation, so it makes one without looking at the storage. After an error the value is
    /// created without it, unless the region wants errors. Default: none.
    fn mutex(&self, key: &Key) -> Result<Option<Box<dyn Mutex>>> {
        let _ = key;
        Ok(None)
    }

    /// Stores `value`, which was created under `lease`, unless that was lost, or the key was deleted since it was taken, by
    /// whatever process: atomically where the storage can, else after a look. None of these is an error, and whoever created the
    /// value has it all the same; so it is after an error. The host notices by itself what is deleted
    /// through it; it does not know of other processes.
    ///
    /// A deletion concerns the lease that is held when it comes, and no later one. It counts for as long as that lease does,
    /// however often it is renewed: the note that [`Backend::delete`] leaves must hold the lease's token, and be renewed
    /// with it.
    ///
    /// It may take longer than the lease is long: the host renews the lease meanwhile, in storage, so the holder is to be
    /// known by its token. What [`Mutex::renew`] changes in the lease is not seen here.
    ///
    /// Default: `set`, unguarded. That is right only where there is no mutex, or one whose holder cannot lose it: the
    /// conformance suite refuses it beside leases that pass.
    fn set_guarded(&self, key: &Key, value: &Value, lease: &Lease) -> Result<Guarded> {
        let _ = lease;
        self.set(key, value).map(|()| Guarded::Stored)
    }

    /// Stores each value only while the lease beside it is still held, as `set_guarded` does, and tells in their order what
    /// became of them: one lost lease keeps no other value from being stored. The leases are of different keys. After an
    /// error, any of them may be stored, and the host stores each by itself. Default: one `set_guarded` each; the first
    /// error ends it.
    fn set_guarded_multi(&self, entries: &[(Key, Value, Lease)]) -> Result<Vec<Guarded>> {
        entries
            .iter()
            .map(|(key, value, lease)| self.set_guarded(key, value, lease))
            .collect()
    }

    /// The mangler for keys of regions that name none: `plugin/mangler` or a bare name. Asked once, after `open`.
    /// Default: none.
    fn key_mangler(&self) -> Option<&str> {
        None
    }

    /// Takes on new arguments in place, keeping what is stored. `false`: it cannot, and nothing has changed; make a new
    /// instance of me. An error refuses the reload that asked, and nothing may have changed either. Default: `false`.
    ///
    /// Called at a reload for an instance whose arguments changed, of all regions that it serves, while these call it;
    /// on a thread of the host's that may block for as long as `[host] open_timeout`. If a later step of the reload
    /// fails, it is called again with the arguments of before. What the instance said of itself when it was opened must
    /// stay true: answer `false` to arguments that change [`storage`](Self::storage), [`blocking`](Self::blocking),
    /// [`exclusive`](Self::exclusive), [`shared`](Self::shared) or [`key_mangler`](Self::key_mangler). `dogpile reload
    /// --dry-run` asks an instance that was opened for this with the old arguments, unless it is exclusive.
    fn reconfigure(&self, arguments: &Self::Arguments) -> Result<bool> {
        let _ = arguments;
        Ok(false)
    }
}

/// What a backend stores. There are no other kinds: what a host does not know, it could not store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Storage {
    /// Bytes: the host serialises values and wraps them in dogpile's envelope.
    Bytes,
    /// The host's objects, by reference; bytes too.
    Objects,
}

/// What became of a guarded store. There is nothing else: an outcome that a host does not know would be none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guarded {
    /// It was stored.
    Stored,
    /// The lease was lost; nothing was stored.
    LeaseLost,
    /// The key was deleted while the lease was held; nothing was stored.
    Deleted,
}

impl Guarded {
    /// How it crosses the boundary.
    pub(crate) fn number(self) -> u8 {
        match self {
            Self::LeaseLost => 0,
            Self::Stored => 1,
            Self::Deleted => 2,
        }
    }

    pub(crate) fn from_number(number: u8) -> Result<Self> {
        match number {
            0 => Ok(Self::LeaseLost),
            1 => Ok(Self::Stored),
            2 => Ok(Self::Deleted),
            _ => Err(Error::new(
                ErrorKind::Contract,
                format!("a guarded store ended with {number}, which does not exist"),
            )),
        }
    }
}

/// How much a backend holds. What it does not know is left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct BackendStats {
    /// Entries held, expired ones included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entries: Option<u64>,
    /// What they weigh, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// Entries removed to make room, since `open`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evictions: Option<u64>,
    /// Entries removed because nobody could want them any more, since `open`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expirations: Option<u64>,
}
