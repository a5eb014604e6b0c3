//! The slots of a cluster, each of which holds a part of all keys.

/// How many there are.
pub(crate) const SLOTS: u16 = 16384;

/// The slot of a key: that of its hashtag, if it has one.
pub(crate) fn slot(key: &[u8]) -> u16 {
    crc16(hashtag(key).unwrap_or(key)) % SLOTS
}

/// What is between the first `{` and the first `}` after it, if that is anything.
pub(crate) fn hashtag(key: &[u8]) -> Option<&[u8]> {
    let start = key.iter().position(|byte| *byte == b'{')? + 1;
    let rest = &key[start..];
    let length = rest.iter().position(|byte| *byte == b'}')?;
    (length > 0).then(|| &rest[..length])
}

/// CRC-16 as XMODEM has it: by the polynomial x¹⁶ + x¹² + x⁵ + 1, from 0, the highest bit first.
fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, byte| {
        let [high, _] = crc.to_be_bytes();
        (crc << 8) ^ TABLE[usize::from(high ^ byte)]
    })
}

const TABLE: [u16; 256] = table();

const fn table() -> [u16; 256] {
    let mut table = [0; 256];
    let mut byte: u16 = 0;
    while byte < 256 {
        let mut crc = byte << 8;
        let mut bit = 0;
        while bit < 8 {
            let polynomial = if crc & 0x8000 == 0 { 0 } else { 0x1021 };
            crc = (crc << 1) ^ polynomial;
            bit += 1;
        }
        table[byte as usize] = crc;
        byte += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_those_of_the_specification() {
        // The check value of this CRC.
        assert_eq!(crc16(b"123456789"), 0x31c3);
        assert_eq!(slot(b"foo"), 12182);
        assert_eq!(slot(b""), 0);
        assert_eq!(slot(b"{user1000}.following"), slot(b"user1000"));
    }

    #[test]
    fn a_hashtag_is_between_the_first_braces_unless_that_is_nothing() {
        for (key, tag) in [
            ("{user1000}.following", Some("user1000")),
            ("foo{}{bar}", None),
            ("foo{{bar}}zap", Some("{bar")),
            ("foo{bar}{zap}", Some("bar")),
            ("foo}bar{", None),
            ("foo}{bar}", Some("bar")),
            ("foo{bar", None),
            ("", None),
        ] {
            let found = hashtag(key.as_bytes());
            assert_eq!(found, tag.map(str::as_bytes), "{key}");
        }
    }
}
