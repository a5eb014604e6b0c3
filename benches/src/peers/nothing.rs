use super::Peer;

/// What the loop itself costs.
pub(crate) struct Nothing;

impl<V> Peer<V> for Nothing {
    type Held = usize;

    fn new(_: usize) -> Self {
        Self
    }

    #[inline]
    fn get_or_create(&self, key: &str, _: impl FnOnce() -> V) -> usize {
        key.len()
    }

    fn set(&self, _: &str, _: V) {}

    fn entries(&self) -> u64 {
        0
    }
}
