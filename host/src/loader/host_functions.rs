//! What a plugin may ask of this host, as functions of the boundary.
//!
//! A plugin's records have the target `dogpile::plugin`, its name as `plugin`, and the target that they had in the
//! plugin as `module`. A filter sees the first. Records, and the messages of panics among them, are cleared of the
//! secrets of all that was opened in this process: what a plugin made of one, such as its half, is not found.

use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::LazyLock;

use abi_stable::prefix_type::WithMetadata;
use abi_stable::std_types::RStr;
use dogpile_lock::Clock;
use dogpile_plugin_api::abi::{HostTable, HostTableRef, RawHost};
use parking_lot::Mutex;
use tracing::Level;

use crate::keys;
use crate::secrets::without_withheld;

const TABLE: &WithMetadata<HostTable> = &WithMetadata::new(HostTable {
    hash,
    now,
    log_enabled,
    log,
});

/// The functions for the plugin of that name, which its log records carry, with that clock.
///
/// The name is kept for the life of the process, once however often it is given. A host leaks its clock, once.
pub fn host_functions(plugin: &str, clock: &'static Clock) -> RawHost {
    // SAFETY: the functions take a clock that lives as long as the process, and this is one.
    unsafe {
        RawHost::new(
            for_life(plugin),
            std::ptr::from_ref(clock).cast(),
            HostTableRef(TABLE.static_as_prefix()),
        )
    }
}

/// The system's clock, for as long as the process lives.
pub(super) fn system_clock() -> &'static Clock {
    static SYSTEM: LazyLock<Clock> = LazyLock::new(Clock::system);
    &SYSTEM
}

/// `text`, leaked; the same text is leaked once.
fn for_life(text: &str) -> &'static str {
    static KNOWN: LazyLock<Mutex<HashSet<&'static str>>> = LazyLock::new(Mutex::default);
    let mut known = KNOWN.lock();
    if let Some(known) = known.get(text) {
        return known;
    }
    let leaked: &'static str = Box::leak(Box::from(text));
    known.insert(leaked);
    leaked
}

unsafe extern "C" fn hash(_: *const (), text: RStr<'_>) -> u64 {
    keys::hash(text.as_str())
}

unsafe extern "C" fn now(context: *const ()) -> u64 {
    // SAFETY: by the contract of `RawHost::new` it is the clock that `host_functions` gave.
    let clock = unsafe { &*context.cast::<Clock>() };
    clock.coarse()
}

extern "C" fn log_enabled(level: u8, _: RStr<'_>) -> bool {
    unharmed(|| match level {
        1 => tracing::enabled!(target: "dogpile::plugin", Level::ERROR),
        2 => tracing::enabled!(target: "dogpile::plugin", Level::WARN),
        3 => tracing::enabled!(target: "dogpile::plugin", Level::INFO),
        4 => tracing::enabled!(target: "dogpile::plugin", Level::DEBUG),
        _ => tracing::enabled!(target: "dogpile::plugin", Level::TRACE),
    })
}

extern "C" fn log(level: u8, plugin: RStr<'_>, target: RStr<'_>, message: RStr<'_>) {
    let (plugin, module) = (plugin.as_str(), target.as_str());
    unharmed(|| {
        let message = without_withheld(message.as_str());
        match level {
            1 => tracing::error!(target: "dogpile::plugin", plugin, module, "{message}"),
            2 => tracing::warn!(target: "dogpile::plugin", plugin, module, "{message}"),
            3 => tracing::info!(target: "dogpile::plugin", plugin, module, "{message}"),
            4 => tracing::debug!(target: "dogpile::plugin", plugin, module, "{message}"),
            _ => tracing::trace!(target: "dogpile::plugin", plugin, module, "{message}"),
        }
    });
}

/// Runs the host's subscriber. Its panic must not unwind into the plugin, which may be panicking itself.
fn unharmed<T: Default>(call: impl FnOnce() -> T) -> T {
    catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|payload| {
        // A payload whose drop panics would unwind all the same.
        std::mem::forget(payload);
        T::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_leaked_once() {
        let (first, second) = (for_life("users"), for_life(&String::from("users")));
        assert!(std::ptr::eq(first, second));
    }

    #[test]
    fn plugins_see_the_hosts_clock_and_hash() {
        let (clock, hand) = Clock::manual(7);
        let host = host_functions("mine", Box::leak(Box::new(clock)));
        assert_eq!(host.now(), 7);
        hand.set(9);
        assert_eq!(host.now(), 9);
        assert_eq!(host.hash("a"), keys::hash("a"));
        assert_eq!(host.plugin(), "mine");
    }
}
