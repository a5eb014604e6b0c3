//! One key of each cache, which expires again and again.

use std::sync::LazyLock;
use std::time::Duration;

use cached::CloneCached;
use cached::claim::ClaimRegistry;
use cached::macros::cached;
use dogpile::{Region, Source};
use hitbox::concurrency::BroadcastConcurrencyManager;
use hitbox::offload::{OffloadConfig, OffloadManager};
use hitbox::policy::{ConcurrencyLimit, PolicyConfig, StalePolicy};
use hitbox_moka::MokaBackend;
use moka::sync::Cache;
use tokio::runtime::Handle;

use super::creator::Creator;
use crate::peers::{Settings, open};

pub(crate) const EXPIRATION: Duration = Duration::from_millis(100);
/// How long past its expiry a value may be served, where that can be said.
pub(crate) const STALE: Duration = Duration::from_secs(1);

const KEY: &str = "article";
const CAPACITY: usize = 100;

pub(crate) trait Contender: Sync {
    fn name(&self) -> &'static str;
    /// Returns when a value is there, and says where it is from, if the cache tells.
    fn call(&self) -> Option<Source>;
}

/// Their places among the contenders.
pub(crate) const BACKGROUND: usize = 1;
pub(crate) const MOKA: usize = 3;

/// With nothing in them yet.
pub(crate) fn contenders(run: u64, creator: &Creator, runtime: &Handle) -> Vec<Box<dyn Contender>> {
    let creator = creator.clone();
    vec![
        Box::new(Nothing),
        Box::new(Background(region(true), creator.clone())),
        Box::new(Plain(region(false), creator.clone())),
        Box::new(Moka(
            Cache::builder()
                .max_capacity(CAPACITY as u64)
                .time_to_live(EXPIRATION)
                .build(),
            creator.clone(),
        )),
        Box::new(Hitbox(hitbox_cache(), creator.clone(), runtime.clone())),
        Box::new(ByKey(run, creator.clone())),
        Box::new(Recipe(run, creator)),
    ]
}

fn region(background_refresh: bool) -> Region {
    open(&Settings {
        capacity: CAPACITY,
        expiration_time: EXPIRATION,
        max_stale: STALE,
        background_refresh,
    })
}

/// How late the threads of this machine are by themselves.
struct Nothing;

impl Contender for Nothing {
    fn name(&self) -> &'static str {
        "no cache"
    }

    fn call(&self) -> Option<Source> {
        None
    }
}

struct Background(Region, Creator);

impl Contender for Background {
    fn name(&self) -> &'static str {
        "dogpile, background"
    }

    fn call(&self) -> Option<Source> {
        let creator = self.1.clone();
        let entry = self.0.entry(KEY).background(move || creator.create());
        let value = entry.get_or_create().expect("memory does not fail");
        Some(value.source())
    }
}

struct Plain(Region, Creator);

impl Contender for Plain {
    fn name(&self) -> &'static str {
        "dogpile, plain"
    }

    fn call(&self) -> Option<Source> {
        let value = self.0.get_or_create(KEY, || self.1.create());
        Some(value.expect("memory does not fail").source())
    }
}

struct Moka(Cache<String, u64>, Creator);

impl Contender for Moka {
    fn name(&self) -> &'static str {
        "moka"
    }

    fn call(&self) -> Option<Source> {
        self.0.get_with_by_ref(KEY, || self.1.create());
        None
    }
}

type HitboxCache = hitbox_fn::Cache<MokaBackend, BroadcastConcurrencyManager<u64>, OffloadManager>;

fn hitbox_cache() -> HitboxCache {
    let policy = PolicyConfig::builder()
        .ttl(EXPIRATION + STALE)
        .stale(EXPIRATION)
        .stale_policy(StalePolicy::OffloadRevalidate)
        .concurrency(ConcurrencyLimit::const_new::<1>())
        .build();
    hitbox_fn::Cache::builder()
        .backend(MokaBackend::builder().max_entries(CAPACITY as u64).build())
        .policy(policy)
        .concurrency_manager(BroadcastConcurrencyManager::new())
        .offload(OffloadManager::new(
            OffloadConfig::builder().deduplicate(true).build(),
        ))
        .build()
}

/// A function, which hitbox has as asynchronous ones only: each thread blocks on its own call, a revalidation runs on the
/// runtime.
struct Hitbox(HitboxCache, Creator, Handle);

#[hitbox_fn::cached(skip(creator))]
async fn revalidated(creator: Creator) -> u64 {
    creator.create_async().await
}

impl Contender for Hitbox {
    fn name(&self) -> &'static str {
        "hitbox, offloaded"
    }

    fn call(&self) -> Option<Source> {
        let call = revalidated(self.1.clone()).cache(&self.0);
        self.2.block_on(async { call.await });
        None
    }
}

/// A function with one lock for its writers.
struct ByKey(u64, Creator);

#[cached(
    ttl_millis = 100,
    sync_writes = "by_key",
    key = "u64",
    convert = "{ run }"
)]
fn by_key(run: u64, creator: &Creator) -> (u64, u64) {
    (run, creator.create())
}

impl Contender for ByKey {
    fn name(&self) -> &'static str {
        "cached, by key"
    }

    fn call(&self) -> Option<Source> {
        by_key(self.0, &self.1);
        None
    }
}

/// A function called as the documentation of `cached` says for stale values: by its user's own code, with a thread for
/// each refresh.
struct Recipe(u64, Creator);

static REFRESHING: LazyLock<ClaimRegistry<u64>> = LazyLock::new(ClaimRegistry::new);

#[cached(
    ttl_millis = 100,
    sync_writes = "by_key",
    key = "u64",
    convert = "{ run }"
)]
fn refreshed(run: u64, creator: &Creator) -> (u64, u64) {
    (run, creator.create())
}

impl Contender for Recipe {
    fn name(&self) -> &'static str {
        "cached, own thread"
    }

    fn call(&self) -> Option<Source> {
        let (value, expired) = REFRESHED.read().cache_peek_with_expiry_status(&self.0);
        if value.is_none() {
            refreshed(self.0, &self.1);
        } else if expired && let Some(claim) = REFRESHING.claim(self.0) {
            let creator = self.1.clone();
            std::thread::spawn(move || refreshed_prime_cache(*claim.key(), &creator));
        }
        None
    }
}
