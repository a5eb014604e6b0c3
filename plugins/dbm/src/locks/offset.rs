use sha1::{Digest, Sha1};

/// The place of a key's byte in the lock file: the first 62 bits of the key's SHA-1. In each process the same, which the
/// hash that a key carries is not.
pub(super) fn offset_of(key: &str) -> u64 {
    let digest = Sha1::digest(key.as_bytes());
    let mut first = [0; 8];
    first.copy_from_slice(&digest[..8]);
    u64::from_be_bytes(first) >> 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offset_is_the_start_of_the_keys_sha1() {
        // SHA-1 of "abc" starts with a9993e364706816a.
        assert_eq!(offset_of("abc"), 0xa999_3e36_4706_816a >> 2);
        assert!(offset_of("") < 1 << 62);
    }
}
