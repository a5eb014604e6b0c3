use std::cell::Cell;
use std::ops::Deref;
use std::thread::LocalKey;

use dogpile_plugin_api::KeyParts;

/// So many bytes are kept for the next call: keys are shorter.
const MOST: usize = 1024;

/// A text that each call writes anew, in the room that an earlier call of its thread has left: so a hit allocates nothing.
#[derive(Clone, Debug, Default)]
pub(super) struct Reused<T: Text>(T);

/// What can be written anew.
pub(super) trait Text: Default + 'static {
    /// What the thread has left of the last one.
    fn left() -> &'static LocalKey<Cell<Option<Self>>>;
    fn length(&self) -> usize;
    fn empty(&mut self);
}

macro_rules! text {
    ($type:ty, $length:expr) => {
        impl Text for $type {
            fn left() -> &'static LocalKey<Cell<Option<Self>>> {
                thread_local! {
                    static LEFT: Cell<Option<$type>> = const { Cell::new(None) };
                }
                &LEFT
            }

            fn length(&self) -> usize {
                $length(self)
            }

            fn empty(&mut self) {
                self.clear();
            }
        }
    };
}

text!(String, String::len);
text!(KeyParts, |parts: &KeyParts| parts.as_str().len());

impl<T: Text> Reused<T> {
    /// To write into.
    pub(super) fn room(&mut self) -> &mut T {
        if self.0.length() == 0
            && let Ok(Some(left)) = T::left().try_with(Cell::take)
        {
            self.0 = left;
        }
        &mut self.0
    }
}

impl<T: Text> Deref for Reused<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: Text> Drop for Reused<T> {
    fn drop(&mut self) {
        if (1..=MOST).contains(&self.0.length()) {
            let mut left = std::mem::take(&mut self.0);
            left.empty();
            // A thread that ends keeps nothing.
            let _ = T::left().try_with(|place| place.set(Some(left)));
        }
    }
}
