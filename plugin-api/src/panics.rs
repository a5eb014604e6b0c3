//! What a caught panic carries.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// The panic's message. Its payload is dropped here; if that panics too, what it throws is let go.
#[cold]
pub(crate) fn message(payload: Box<dyn Any + Send>) -> String {
    let text = payload.downcast_ref::<&str>().copied();
    let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    let message = text.unwrap_or("(no message)").to_owned();
    if let Err(second) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        std::mem::forget(second);
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caught(panic: impl FnOnce()) -> String {
        message(catch_unwind(AssertUnwindSafe(panic)).unwrap_err())
    }

    #[test]
    fn messages_of_every_kind_of_payload_are_found() {
        struct PanicsInDrop;
        impl Drop for PanicsInDrop {
            fn drop(&mut self) {
                panic!("in drop");
            }
        }
        assert_eq!(caught(|| panic!("text")), "text");
        assert_eq!(caught(|| panic!("number {}", 1)), "number 1");
        assert_eq!(caught(|| std::panic::panic_any(7)), "(no message)");
        assert_eq!(
            caught(|| std::panic::panic_any(PanicsInDrop)),
            "(no message)"
        );
    }
}
