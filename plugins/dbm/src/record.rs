//! A stored value: its number, when nobody may want it any more, a checksum over these, the key and the bytes.

/// Checksum, number, `keep_until`: the least that a record is.
const HEAD: usize = 4 + 8 + 8;

/// What a record says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Record<'a> {
    /// The place of the store in the order of all.
    pub(crate) number: u64,
    /// In nanoseconds since 1970; 0: never.
    pub(crate) keep_until: u64,
    pub(crate) bytes: &'a [u8],
}

impl<'a> Record<'a> {
    pub(crate) fn length(bytes: &[u8]) -> usize {
        HEAD + bytes.len()
    }

    pub(crate) fn encode(&self, key: &[u8], into: &mut Vec<u8>) {
        into.clear();
        into.reserve(HEAD + self.bytes.len());
        into.extend([0; 4]);
        into.extend(self.number.to_le_bytes());
        into.extend(self.keep_until.to_le_bytes());
        into.extend(self.bytes);
        let checksum = checksum(key, &into[4..]);
        into[..4].copy_from_slice(&checksum.to_le_bytes());
    }

    /// `None` if it is not what was stored under that key.
    pub(crate) fn decode(key: &[u8], record: &'a [u8]) -> Option<Self> {
        let (stored, rest) = record.split_first_chunk::<4>()?;
        if u32::from_le_bytes(*stored) != checksum(key, rest) {
            return None;
        }
        let (number, rest) = rest.split_first_chunk::<8>()?;
        let (keep_until, bytes) = rest.split_first_chunk::<8>()?;
        Some(Self {
            number: u64::from_le_bytes(*number),
            keep_until: u64::from_le_bytes(*keep_until),
            bytes,
        })
    }
}

/// The key's length keeps its end and the record's start apart.
fn checksum(key: &[u8], rest: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&(key.len() as u64).to_le_bytes());
    hasher.update(key);
    hasher.update(rest);
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Vec<u8> {
        let record = Record {
            number: 7,
            keep_until: 9,
            bytes: b"some bytes",
        };
        let mut encoded = Vec::new();
        record.encode(b"key", &mut encoded);
        assert_eq!(encoded.len(), Record::length(b"some bytes"));
        assert_eq!(Record::decode(b"key", &encoded), Some(record));
        encoded
    }

    #[test]
    fn a_record_with_any_bit_flipped_is_none() {
        let encoded = sample();
        for bit in 0..encoded.len() * 8 {
            let mut flipped = encoded.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Record::decode(b"key", &flipped), None, "{bit}");
        }
    }

    #[test]
    fn a_record_that_is_cut_is_none() {
        let encoded = sample();
        for length in 0..encoded.len() {
            assert_eq!(Record::decode(b"key", &encoded[..length]), None);
        }
    }

    #[test]
    fn a_record_of_another_key_is_none() {
        let encoded = sample();
        for other in ["", "ke", "keyy", "kez"] {
            assert_eq!(Record::decode(other.as_bytes(), &encoded), None);
        }
    }
}
