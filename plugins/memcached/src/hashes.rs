//! The hashes by which Python's clients place keys, as their libraries compute them.

use md5::{Digest, Md5};

use crate::arguments::Hash;

impl Hash {
    /// As libmemcached. Its characters have signs.
    pub(crate) fn of(self, bytes: &[u8]) -> u32 {
        match self {
            Self::Default => one_at_a_time(bytes),
            Self::Md5 => {
                let digest = md5(bytes);
                u32::from_le_bytes([digest[0], digest[1], digest[2], digest[3]])
            }
            Self::Crc => crc(bytes),
            Self::Fnv1_32 => bytes.iter().fold(FNV_32, |hash, byte| {
                hash.wrapping_mul(FNV_32_PRIME) ^ signed(*byte)
            }),
            Self::Fnv1a32 => bytes.iter().fold(FNV_32, |hash, byte| {
                (hash ^ signed(*byte)).wrapping_mul(FNV_32_PRIME)
            }),
            Self::Fnv1_64 => low(bytes.iter().fold(FNV_64, |hash, byte| {
                hash.wrapping_mul(FNV_64_PRIME) ^ signed_64(*byte)
            })),
            // libmemcached keeps only the lower half of each step.
            Self::Fnv1a64 => bytes.iter().fold(low(FNV_64), |hash, byte| {
                (hash ^ signed(*byte)).wrapping_mul(low(FNV_64_PRIME))
            }),
        }
    }
}

const FNV_32: u32 = 0x811c_9dc5;
const FNV_32_PRIME: u32 = 0x0100_0193;
const FNV_64: u64 = 0xcbf2_9ce4_8422_2325;
const FNV_64_PRIME: u64 = 0x0100_0000_01b3;

pub(crate) fn md5(bytes: &[u8]) -> [u8; 16] {
    Md5::digest(bytes).into()
}

/// The middle bits of a CRC, as python-memcached and libmemcached.
pub(crate) fn crc(bytes: &[u8]) -> u32 {
    (crc32fast::hash(bytes) >> 16) & 0x7fff
}

fn one_at_a_time(bytes: &[u8]) -> u32 {
    let mut hash = 0_u32;
    for byte in bytes {
        hash = hash.wrapping_add(signed(*byte));
        hash = hash.wrapping_add(hash << 10);
        hash ^= hash >> 6;
    }
    hash = hash.wrapping_add(hash << 3);
    hash ^= hash >> 11;
    hash.wrapping_add(hash << 15)
}

/// `MurmurHash3` of 32 bits. pymemcache hashes the characters of a text, and of each its lowest byte.
pub(crate) fn murmur3(units: &[u32]) -> u32 {
    let mix = |word: u32| {
        word.wrapping_mul(0xcc9e_2d51)
            .rotate_left(15)
            .wrapping_mul(0x1b87_3593)
    };
    let mut hash = 0_u32;
    let words = units.chunks_exact(4);
    let rest = words.remainder();
    for word in words {
        // It cuts the last of each four off by shifting alone, which comes to the same.
        let word = word
            .iter()
            .rev()
            .fold(0, |word, unit| (word << 8) | (unit & 0xff));
        hash = (hash ^ mix(word))
            .rotate_left(13)
            .wrapping_mul(5)
            .wrapping_add(0xe654_6b64);
    }
    if !rest.is_empty() {
        hash ^= mix(rest
            .iter()
            .rev()
            .fold(0, |word, unit| (word << 8) | (unit & 0xff)));
    }
    hash ^= u32::try_from(units.len()).unwrap_or(u32::MAX);
    hash = (hash ^ (hash >> 16)).wrapping_mul(0x85eb_ca6b);
    hash = (hash ^ (hash >> 13)).wrapping_mul(0xc2b2_ae35);
    hash ^ (hash >> 16)
}

fn signed(byte: u8) -> u32 {
    i32::from(byte.cast_signed()).cast_unsigned()
}

fn signed_64(byte: u8) -> u64 {
    i64::from(byte.cast_signed()).cast_unsigned()
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the lower half is what is wanted"
)]
fn low(hash: u64) -> u32 {
    hash as u32
}
