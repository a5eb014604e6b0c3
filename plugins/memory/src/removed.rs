use dogpile_plugin_api::Value;

/// Values taken out under a shard's lock, to be dropped after it is released: their drop runs the host's code.
#[derive(Default)]
pub(crate) struct Removed {
    first: Option<Value>,
    more: Vec<Value>,
    /// How many they are, and what they weigh, as far as it was not yet given back to the budgets.
    pub(crate) entries: u64,
    pub(crate) bytes: u64,
}

impl Removed {
    pub(crate) fn push(&mut self, value: Value) {
        self.entries += 1;
        self.bytes += u64::from(value.weight());
        if self.first.is_none() {
            self.first = Some(value);
        } else {
            self.more.push(value);
        }
    }
}
