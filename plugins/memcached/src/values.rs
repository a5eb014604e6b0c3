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

/// The flag of what Python's client pickled, which all of them have.
const PICKLED: u32 = 1;

/// What pickles begin with, but for those of the protocols 0 and 1. Put before one of those it makes it one of protocol 2,
/// with the same content.
const PICKLE: [u8; 2] = [0x80, 2];

/// No value of more bytes is compressed, or inflated.
const MOST: usize = 256 << 20;

/// No server holds a value of more bytes, whatever its `-I`.
pub(crate) const LARGEST: usize = 1 << 30;

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
    let flags = item.flags;
    let mut value = if flags & COMPRESSED == 0 {
        item.bytes
    } else {
        inflated(item.bytes, MOST)
    };
    // python-memcached writes pickles of protocol 0, which only the flag tells from other texts, and the host, which leaves
    // pickles alone, sees no flags.
    if flags & PICKLED != 0 && value.first() != PICKLE.first() {
        value.splice(..0, PICKLE);
    }
    value
}

/// Whoever can write to the servers can make little into much.
fn inflated(bytes: Vec<u8>, most: usize) -> Vec<u8> {
    let mut value = Vec::new();
    let mut decoder = ZlibDecoder::new(&*bytes).take(most as u64 + 1);
    match decoder.read_to_end(&mut value) {
        Ok(_) if value.len() <= most => value,
        Ok(_) => {
            debug!("a value of more than {most} bytes is not inflated");
            bytes
        }
        Err(error) => {
            debug!(%error, "a value that says it is compressed cannot be inflated");
            bytes
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
        for flags in [0, 2, 4, 16] {
            assert_eq!(read(item(b"bytes", flags)), b"bytes");
            let compressed = compressed(b"bytes").unwrap();
            assert_eq!(read(item(&compressed, flags | 8)), b"bytes");
        }
    }

    #[test]
    fn pickles_are_known_by_what_they_begin_with_whatever_their_protocol() {
        for flags in [1, 1 | 16] {
            assert_eq!(read(item(b"\x80\x04.", flags)), b"\x80\x04.");
            assert_eq!(read(item(b"(lp0\n.", flags)), b"\x80\x02(lp0\n.");
            let compressed = compressed(b"(lp0\n.").unwrap();
            assert_eq!(read(item(&compressed, flags | 8)), b"\x80\x02(lp0\n.");
        }
    }

    #[test]
    fn nothing_is_inflated_beyond_what_may_be() {
        let bomb = compressed(&vec![0; 1_000_000]).unwrap();
        assert!(bomb.len() < 10_000);
        assert_eq!(inflated(bomb.clone(), 1_000_000).len(), 1_000_000);
        assert_eq!(inflated(bomb.clone(), 999_999), bomb);
    }

    #[test]
    fn what_cannot_be_inflated_is_given_as_it_is() {
        let cut = &compressed(&[b'a'; 1000]).unwrap()[..10];
        for bytes in [b"no zlib", &b""[..], cut] {
            assert_eq!(read(item(bytes, 8)), bytes);
        }
    }
}
