//! What stays of a region over all its configurations.

mod attempt;
mod durations;
mod invalidation;
mod mark;
mod runner;
mod stats;
mod tags;

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use arc_swap::ArcSwapOption;
use dogpile_plugin_api::Value;
use parking_lot::RwLock;

use crate::key_generator::KeyGenerators;
use crate::serializer::{Codec, Own, Serializer, SerializerError, SerializerKind};

pub(crate) use self::attempt::Attempt;
pub(crate) use self::durations::Histogram;
pub(crate) use self::invalidation::{InForce, Invalidations, Marks, STEP, Target};
pub use self::invalidation::{Invalidation, InvalidationStrategy, Verdict};
pub use self::runner::Creation;
pub(crate) use self::runner::{Runner, Work};
pub(crate) use self::stats::{Count, Stats};
pub use self::stats::{MissReason, RegionStats};
pub(crate) use self::tags::Tags;

/// What [`mark`] is made of: a model checker has others.
mod atomics {
    pub(super) use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
}

/// How often failures of a backend are logged, in nanoseconds.
const LOG_PERIOD: u64 = 1_000_000_000;

/// A region's number, name and counters, and the handles that hold it.
pub(crate) struct Slot {
    pub(crate) number: usize,
    pub(crate) name: String,
    pub(crate) stats: Stats,
    pub(crate) invalidations: Invalidations,
    pub(crate) weigher: RwLock<Option<Weigher>>,
    pub(crate) runner: RwLock<Option<Runner>>,
    pub(crate) key_generators: KeyGenerators,
    /// The program's own serializer, if it has set one.
    serializer: ArcSwapOption<Own>,
    encoders: RwLock<HashMap<TypeId, Encoder>>,
    /// Whether `objects()` was used, so that the region cannot move to a backend of bytes.
    pub(crate) objects: AtomicBool,
    /// Whether the program declared it, so that it has handles before it is configured.
    pub(crate) declared: AtomicBool,
    handles: AtomicUsize,
    /// When a failure of the backend was last logged.
    logged: AtomicU64,
    /// Whether it was told that something foreign lies among the values.
    warned_of_foreign: AtomicBool,
}

/// Writes an object of one type as a payload; `None` if it is of another.
pub(crate) type Encoder = fn(&Value, &Codec) -> Option<Result<Vec<u8>, SerializerError>>;

/// What a value weighs, if it is of the type that the weigher knows.
pub(crate) type Weigher = Arc<dyn Fn(&dyn Any) -> Option<u32> + Send + Sync>;

impl Slot {
    pub(crate) fn new(number: usize, name: &str) -> Self {
        Self {
            number,
            name: name.to_owned(),
            stats: Stats::new(),
            invalidations: Invalidations::default(),
            weigher: RwLock::new(None),
            runner: RwLock::new(None),
            key_generators: KeyGenerators::default(),
            serializer: ArcSwapOption::empty(),
            encoders: RwLock::default(),
            objects: AtomicBool::new(false),
            declared: AtomicBool::new(false),
            handles: AtomicUsize::new(0),
            logged: AtomicU64::new(0),
            warned_of_foreign: AtomicBool::new(false),
        }
    }

    /// Whether handles to the region exist, so that it cannot be removed.
    pub(crate) fn is_held(&self) -> bool {
        self.handles.load(Ordering::SeqCst) > 0
    }

    /// Whether a failure may be logged at `now`: one a second.
    pub(crate) fn may_log(&self, now: u64) -> bool {
        let last = self.logged.load(Ordering::Relaxed);
        now.abs_diff(last) >= LOG_PERIOD
            && self
                .logged
                .compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
    }

    /// Whether this is the first that is heard of foreign values in the region.
    pub(crate) fn first_foreign(&self) -> bool {
        // Looked at first, so that a region full of them does not write on every read.
        !self.warned_of_foreign.load(Ordering::Relaxed)
            && !self.warned_of_foreign.swap(true, Ordering::Relaxed)
    }

    /// Whether there are foreign values in the region.
    pub(crate) fn has_foreign(&self) -> bool {
        self.warned_of_foreign.load(Ordering::Relaxed)
    }

    pub(crate) fn set_serializer(&self, serializer: Box<dyn Serializer>) {
        self.serializer.store(Some(Arc::new(Own(serializer))));
    }

    /// The serializer of a region that is configured with `kind`.
    pub(crate) fn codec(&self, kind: SerializerKind) -> Codec {
        Codec::new(kind, self.serializer.load())
    }

    /// Remembers how objects of type `T` are written.
    pub(crate) fn learn<T: 'static>(&self, encoder: Encoder) {
        let id = TypeId::of::<T>();
        if !self.encoders.read().contains_key(&id) {
            self.encoders.write().insert(id, encoder);
        }
    }

    /// An object as a payload, if its type was ever stored here and has that form.
    pub(crate) fn encode(
        &self,
        value: &Value,
        codec: &Codec,
    ) -> Option<Result<Vec<u8>, SerializerError>> {
        // They run the program's own code: not under the lock.
        let encoders: Vec<_> = self.encoders.read().values().copied().collect();
        encoders.into_iter().find_map(|encode| encode(value, codec))
    }

    /// What `value` weighs; 0: what its own allocation does.
    pub(crate) fn weigh<T: 'static>(&self, value: &T) -> u32 {
        // The program's own code: not under the lock.
        let weigher = self.weigher.read().clone();
        weigher.as_ref().and_then(|weigh| weigh(value)).unwrap_or(0)
    }
}

/// Counts a handle for as long as it lives.
pub(crate) struct Hold(Arc<Slot>);

impl Hold {
    pub(crate) fn new(slot: Arc<Slot>) -> Self {
        slot.handles.fetch_add(1, Ordering::SeqCst);
        Self(slot)
    }

    #[inline]
    pub(crate) fn slot(&self) -> &Arc<Slot> {
        &self.0
    }
}

impl Clone for Hold {
    fn clone(&self) -> Self {
        Self::new(Arc::clone(&self.0))
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.0.handles.fetch_sub(1, Ordering::SeqCst);
    }
}
