use abi_stable::std_types::RStr;
use dogpile_lock::Clock;
use dogpile_plugin_api::abi::RawHost;
use dogpile_plugin_api::{BackendInstance, Plugin};
use std::time::Duration;

pub(crate) fn raw_host(name: &str, _clock: &Clock) -> RawHost {
    extern "C" fn hash(_: *const (), t: RStr<'_>) -> u64 {
        crate::keys::hash(t.as_str())
    }
    extern "C" fn now(_: *const ()) -> u64 {
        Clock::system().exact()
    }
    extern "C" fn le(_: u8, _: RStr<'_>) -> bool {
        false
    }
    extern "C" fn lo(_: u8, _: RStr<'_>, _: RStr<'_>, _: RStr<'_>) {}
    RawHost {
        image: dogpile_plugin_api::image(),
        plugin: RStr::from_str(Box::leak(name.to_owned().into_boxed_str())),
        context: std::ptr::null(),
        hash,
        now,
        log_enabled: le,
        log: lo,
        reserved: [0; 4],
    }
}
pub(crate) fn open_backend(
    p: &Plugin,
    n: &str,
    a: &str,
    h: RawHost,
    _: Option<Duration>,
) -> Result<BackendInstance, dogpile_plugin_api::Error> {
    p.open_backend(n, a, &h)
}
