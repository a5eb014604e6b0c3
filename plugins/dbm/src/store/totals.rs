/// What is stored, counted as it changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    pub(crate) entries: u64,
    /// The room that they take.
    pub(crate) bytes: u64,
    /// The number of the next store.
    pub(crate) next: u64,
}

impl Totals {
    pub(super) fn encode(self) -> [u8; 24] {
        let mut encoded = [0; 24];
        encoded[..8].copy_from_slice(&self.entries.to_le_bytes());
        encoded[8..16].copy_from_slice(&self.bytes.to_le_bytes());
        encoded[16..].copy_from_slice(&self.next.to_le_bytes());
        encoded
    }

    pub(super) fn decode(encoded: &[u8]) -> Option<Self> {
        let encoded: &[u8; 24] = encoded.try_into().ok()?;
        let number = |at: usize| {
            let mut bytes = [0; 8];
            bytes.copy_from_slice(&encoded[at..at + 8]);
            u64::from_le_bytes(bytes)
        };
        Some(Self {
            entries: number(0),
            bytes: number(8),
            next: number(16),
        })
    }

    pub(super) fn add(&mut self, room: u64) {
        self.entries = self.entries.saturating_add(1);
        self.bytes = self.bytes.saturating_add(room);
    }

    pub(super) fn subtract(&mut self, room: u64) {
        self.entries = self.entries.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(room);
    }
}
