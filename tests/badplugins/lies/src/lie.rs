//! What can be wrong in any method.

use std::hint::black_box;
use std::panic::panic_any;

use dogpile_plugin_api::{Deserialize, JsonSchema};

/// How a plugin lies, and where.
#[derive(Clone, Default, Deserialize, JsonSchema)]
#[serde(crate = "dogpile_plugin_api::serde")]
#[schemars(crate = "dogpile_plugin_api::schemars")]
pub(crate) struct Arguments {
    #[serde(default)]
    pub(crate) lie: String,
    /// The method.
    #[serde(default, rename = "in")]
    within: String,
    /// Only for as long as this file is not there.
    #[serde(default)]
    until: Option<std::path::PathBuf>,
}

impl Arguments {
    /// Whether the lie of that name is told in that method.
    pub(crate) fn is(&self, lie: &str, method: &str) -> bool {
        self.within == method
            && self.lie == lie
            && self.until.as_ref().is_none_or(|until| !until.exists())
    }

    /// Called in each method: tells the lies that need no method in particular.
    pub(crate) fn tell(&self, method: &str) {
        let is = |lie| self.is(lie, method);
        if is("panics") {
            panic!("{method} is not for me");
        }
        if is("throws_what_panics") {
            panic_any(PanicsInDrop);
        }
        if is("panics_in_a_thread") {
            let thread = std::thread::spawn(|| panic!("this thread is not for me"));
            thread.join().expect_err("it panics");
        }
        if is("leaks") {
            Vec::leak(vec![1_u8; 64 << 10]);
        }
        if is("hangs") {
            while self.is("hangs", method) {
                std::thread::sleep(std::time::Duration::from_millis(5));
            }
        }
        if is("segfaults") {
            // SAFETY: none. It is the lie.
            black_box(unsafe { std::ptr::without_provenance::<u8>(8).read_volatile() });
        }
        if is("aborts") {
            std::process::abort();
        }
        if is("exits") {
            std::process::exit(7);
        }
        if is("overflows_the_stack") {
            black_box(deeper(1));
        }
        if is("panics_while_unwinding") {
            let _panics = PanicsInDrop;
            panic!("the first");
        }
        if is("panics_out_of_c") {
            panics_out_of_c();
        }
        if is("panics_in_a_thread_local") {
            let thread = std::thread::spawn(|| LOCAL.with(|local| _ = black_box(local)));
            let _ended = thread.join();
        }
    }
}

/// A text that is none.
pub(crate) fn not_utf8() -> &'static str {
    // SAFETY: none. It is the lie.
    unsafe { std::str::from_utf8_unchecked(black_box(b"\xff")) }
}

struct PanicsInDrop;

impl Drop for PanicsInDrop {
    fn drop(&mut self) {
        panic!("to be dropped is not for me");
    }
}

thread_local! {
    static LOCAL: PanicsInDrop = const { PanicsInDrop };
}

extern "C" fn panics_out_of_c() {
    panic!("nobody in C catches this");
}

#[expect(unconditional_recursion, reason = "it is the lie")]
fn deeper(depth: u64) -> u64 {
    let room = black_box([depth; 64]);
    deeper(room[7] + 1) + room[8]
}
