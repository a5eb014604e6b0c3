//! Values as Python's clients store them: bytes, perhaps compressed, with flags that say so.

use std::borrow::Cow;
use std::io::{Read, Write};

use dogpile_plugin_api::tracing::debug;
use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;

use crate::command::Item;

/// The flag of what is compressed, which all of them have.
const COMPRESSED: u32 = 8;

/// No value of more bytes is compressed, or inflated.
const MOST: usize = 256 << 20;

/// How values are written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Form {
    /// The flag of bytes: 16 for bmemcached, and 0 for all others.
    pub(crate) bytes: u32,
    /// From how many bytes on they are compressed; 0: never.
    pub(crate) min_compress_len: usize,
}

impl Form {
    /// What is stored of a value, and its flags.
    pub(crate) fn write(self, value: &[u8]) -> (Cow<'_, [u8]>, u32) {
        let length = value.len();
        if self.min_compress_len > 0
            && (self.min_compress_len..=MOST).contains(&length)
            && let Some(compressed) = compressed(value)
            && compressed.len() < length
        {
            return (Cow::Owned(compressed), self.bytes | COMPRESSED);
        }
        (Cow::Borrowed(value), self.bytes)
    }
}

/// The value that is stored, whoever did; what cannot be inflated is given as it is, which is a value of nobody's.
pub(crate) fn read(item: Item) -> Vec<u8> {
    if item.flags & COMPRESSED == 0 {
        return item.bytes;
    }
    let mut value = Vec::new();
    let mut decoder = ZlibDecoder::new(&*item.bytes).take(MOST as u64 + 1);
    match decoder.read_to_end(&mut value) {
        Ok(_) if value.len() <= MOST => value,
        Ok(_) => {
            debug!("a value of more than {MOST} bytes is not inflated");
            item.bytes
        }
        Err(error) => {
            debug!(%error, "a value that says it is compressed cannot be inflated");
            item.bytes
        }
    }
}

fn compressed(value: &[u8]) -> Option<Vec<u8>> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(value).ok()?;
    encoder.finish().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(bytes: &[u8], flags: u32) -> Item {
        Item {
            bytes: bytes.to_vec(),
            flags,
            cas: 1,
        }
    }

    #[test]
    fn long_values_are_compressed_where_that_makes_them_smaller() {
        let form = Form {
            bytes: 16,
            min_compress_len: 100,
        };
        let long = vec![b'a'; 100];
        let (stored, flags) = form.write(&long);
        assert_eq!(flags, 24);
        assert!(stored.len() < 100);
        assert_eq!(read(item(&stored, flags)), long);
        assert_eq!(form.write(&long[1..]), (Cow::Borrowed(&long[1..]), 16));
        let noise: Vec<u8> = (0..200_u8).map(|byte| byte.wrapping_mul(89)).collect();
        assert_eq!(form.write(&noise), (Cow::Borrowed(&*noise), 16));
        let never = Form {
            bytes: 0,
            min_compress_len: 0,
        };
        assert_eq!(never.write(&long), (Cow::Borrowed(&*long), 0));
    }

    #[test]
    fn values_are_read_whatever_other_flags_they_have() {
        for flags in [0, 1, 2, 4, 16] {
            assert_eq!(read(item(b"bytes", flags)), b"bytes");
            let compressed = compressed(b"bytes").unwrap();
            assert_eq!(read(item(&compressed, flags | 8)), b"bytes");
        }
    }

    #[test]
    fn what_cannot_be_inflated_is_given_as_it_is() {
        let cut = &compressed(&[b'a'; 1000]).unwrap()[..10];
        for bytes in [b"no zlib", &b""[..], cut] {
            assert_eq!(read(item(bytes, 8)), bytes);
        }
    }
}
