//! What is told before anything is opened.

use abi_stable::std_types::ROption;
use dogpile_plugin_api::__export::{self as export, Registration};
use dogpile_plugin_api::abi::{RawHost, RawValue};

use crate::raw::{self, kind};
use crate::{REGISTERED, backend};

/// Tests write another word behind the mark, of any length that fits.
#[used]
static CHOSEN: [u8; 40] = *b"THE LIE IS nothing                      ";
const MARK: usize = 11;

fn chosen() -> &'static str {
    // SAFETY: it is a static. Nobody may assume its value, since the file may have been changed.
    let chosen: &'static [u8; 40] = unsafe { &*std::hint::black_box(&raw const CHOSEN) };
    std::str::from_utf8(&chosen[MARK..])
        .unwrap_or_default()
        .trim_end()
}

pub(crate) extern "C" fn start(host: &RawHost) -> RawValue {
    match chosen() {
        "start_fails" => refused(host),
        "start_answers_a_value" => raw::value(kind::INLINE, b"started"),
        "start_hangs" => hang(),
        _ => export::start(host),
    }
}

pub(crate) extern "C" fn describe() -> RawValue {
    let described = |registered: &[Registration]| {
        export::describe("lies", env!("CARGO_PKG_VERSION"), "", registered)
    };
    match chosen() {
        "describe_answers_nothing" => RawValue::NULL,
        "describe_is_not_utf8" => raw::value(kind::INLINE, b"{\"package\": \"\xff\"}"),
        "describe_is_no_json" => raw::value(kind::INLINE, b"I am a plugin"),
        "describe_is_an_object" => raw::value(kind::OBJECT, b""),
        "describe_is_of_no_kind" => raw::value(kind::NONE, b""),
        "describe_hangs" => hang(),
        "describe_panics" => described(&[Registration::Backend {
            name: "panics",
            open: |_, _| unreachable!("the plugin is refused"),
            schema: || panic!("the schema is not for you"),
        }]),
        "describe_two_of_one_name" => described(&[
            Registration::backend::<backend::Lies>("lies"),
            Registration::backend::<backend::Lies>("other"),
            Registration::backend::<backend::Lies>("lies"),
        ]),
        _ => described(REGISTERED),
    }
}

/// Some error.
fn refused(host: &RawHost) -> RawValue {
    export::open_backend(
        &[],
        "anything".into(),
        "{}".into(),
        host,
        &mut ROption::RNone,
    )
}

fn hang() -> RawValue {
    loop {
        std::thread::park();
    }
}
