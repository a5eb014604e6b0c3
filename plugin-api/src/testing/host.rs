use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use abi_stable::prefix_type::WithMetadata;
use abi_stable::staticref;
use abi_stable::std_types::RStr;

use crate::abi::{HostTable, HostTableRef, RawHost};
use crate::{HostContext, OwnedKey, value};

/// A host for tests: it hashes keys, has a clock, and keeps no log.
///
/// ```
/// use std::time::Duration;
///
/// let host = dogpile_plugin_api::testing::TestHost::at(1_000);
/// host.advance(Duration::from_nanos(5));
/// assert_eq!(host.context().now(), 1_005);
/// ```
#[derive(Clone)]
pub struct TestHost {
    raw: RawHost,
    clock: Option<Arc<AtomicU64>>,
}

/// A host for tests with the system's clock.
pub fn host() -> TestHost {
    TestHost::new(None)
}

impl TestHost {
    staticref!(const TABLE: WithMetadata<HostTable> = WithMetadata::new(HostTable {
        hash,
        now,
        log_enabled,
        log,
    }));

    /// A host whose clock stands at `now`, in nanoseconds since 1970, until it is moved.
    pub fn at(now: u64) -> Self {
        Self::new(Some(Arc::new(AtomicU64::new(now))))
    }

    /// Moves the clock on. The system's clock moves by itself: no effect there.
    pub fn advance(&self, by: Duration) {
        if let Some(clock) = &self.clock {
            let by = u64::try_from(by.as_nanos()).unwrap_or(u64::MAX);
            clock.fetch_add(by, Ordering::SeqCst);
        }
    }

    /// What [`Plugin::open_backend`](crate::Plugin::open_backend) wants.
    pub fn raw(&self) -> &RawHost {
        &self.raw
    }

    /// What [`Backend::open`](crate::Backend::open) wants.
    pub fn context(&self) -> HostContext {
        HostContext::new(self.raw)
    }

    /// A key with this process's hash.
    pub fn key(&self, text: impl Into<Box<str>>) -> OwnedKey {
        self.context().key(text)
    }

    fn new(clock: Option<Arc<AtomicU64>>) -> Self {
        Self {
            raw: RawHost {
                image: value::image(),
                plugin: "test".into(),
                context: std::ptr::without_provenance(clock.as_ref().map_or(0, register)),
                table: HostTableRef(Self::TABLE.as_prefix()),
                reserved: [0; 4],
            },
            clock,
        }
    }
}

impl fmt::Debug for TestHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestHost")
            .field("now", &self.context().now())
            .finish()
    }
}

/// The clocks of all hosts that have one of their own. A host's context is a number: its clock's place, from 1.
static CLOCKS: Mutex<Vec<Arc<AtomicU64>>> = Mutex::new(Vec::new());

fn register(clock: &Arc<AtomicU64>) -> usize {
    let mut clocks = CLOCKS.lock().unwrap_or_else(PoisonError::into_inner);
    clocks.push(Arc::clone(clock));
    clocks.len()
}

extern "C" fn now(context: *const ()) -> u64 {
    if let Some(place) = context.addr().checked_sub(1) {
        let clocks = CLOCKS.lock().unwrap_or_else(PoisonError::into_inner);
        return clocks
            .get(place)
            .map_or(0, |clock| clock.load(Ordering::SeqCst));
    }
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
    })
}

extern "C" fn hash(_: *const (), text: RStr<'_>) -> u64 {
    static SEED: OnceLock<RandomState> = OnceLock::new();
    SEED.get_or_init(RandomState::new).hash_one(text.as_str())
}

extern "C" fn log_enabled(_: u8, _: RStr<'_>) -> bool {
    false
}

extern "C" fn log(_: u8, _: RStr<'_>, _: RStr<'_>, _: RStr<'_>) {}
