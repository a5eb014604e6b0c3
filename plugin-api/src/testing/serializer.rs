//! What is stored comes back bit for bit.

use super::fixture::{Case, Ended, Fixture, not_supported, skipped};
use crate::{Metadata, Value};

pub(super) const CASES: &[Case] = &[
    ("no_bytes_survive", empty),
    ("every_byte_survives", every_byte),
    ("bytes_that_end_lines_and_strings_survive", line_ends),
    ("text_in_many_scripts_survives", scripts),
    ("dogpile_envelopes_survive", envelopes),
    ("bytes_of_many_lengths_survive", lengths),
    ("a_mebibyte_survives", mebibyte),
    ("sixteen_mebibytes_survive", sixteen),
    ("bytes_that_compress_well_survive", compressible),
    ("values_of_foreign_formats_survive", foreign),
    ("a_given_vec_survives", given),
];

fn survive<'b>(on: &Fixture, values: impl IntoIterator<Item = &'b [u8]>) -> Ended {
    for (number, bytes) in values.into_iter().enumerate() {
        let (single, multi) = (on.key(&format!("{number}")), on.key(&format!("m{number}")));
        on.set(&single, bytes)?;
        on.expect(&single, bytes)?;
        let entry = (multi.as_key(), on.value(&multi, bytes));
        on.backend.set_multi(&[entry])?;
        let found = on.backend.get_multi(&[multi.as_key()])?;
        on.same(
            found.first().and_then(Option::as_ref),
            bytes,
            on.named(&multi),
        )?;
        for key in [&single, &multi] {
            on.backend.delete(&key.as_key())?;
        }
    }
    Ok(())
}

/// Bytes that do not compress (xorshift).
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    (0..length)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()[3]
        })
        .collect()
}

fn empty(on: &Fixture) -> Ended {
    survive(on, [&b""[..]])
}

fn every_byte(on: &Fixture) -> Ended {
    let all: Vec<u8> = (0..=255).collect();
    survive(on, [&all[..]])?;
    survive(on, all.chunks(1))
}

fn line_ends(on: &Fixture) -> Ended {
    survive(
        on,
        [
            &b"\0"[..],
            b"\0\0\0",
            b"a\0b",
            b"\r\n",
            b"END\r\n",
            b"\n",
            b" ",
            b" a ",
            b"a\r\nSTORED\r\n",
            b"\x1a",
            b"|",
        ],
    )
}

fn scripts(on: &Fixture) -> Ended {
    survive(
        on,
        [
            "Füße in Öl",
            "Съешь же ещё этих мягких булок",
            "Ξεσκεπάζω την ψυχοφθόρα βδελυγμία",
            "いろはにほへと ちりぬるを",
            "天地玄黃 宇宙洪荒",
            "다람쥐 헌 쳇바퀴에 타고파",
            "نص حكيم له سر قاطع",
            "דג סקרן שט בים",
            "ऋषियों को सताने वाले",
            "เป็นมนุษย์สุดประเสริฐ",
            "👩‍👩‍👧‍👦 🐕",
            "e\u{301} \u{e9}",
            "\u{feff}bom",
            "\u{202e}right to left",
        ]
        .map(str::as_bytes),
    )
}

fn envelopes(on: &Fixture) -> Ended {
    survive(
        on,
        [
            &br#"{"ct": 1700000000.25, "v": 2}|{"name": "x"}"#[..],
            br#"{"ct": 1700000000.25, "v": 2, "st": 1700000000.0, "tags": ["a\u007cb"]}|"a|b""#,
            br#"{"ct": 1700000000.25, "v": 2}|"#,
            b"{\"ct\": 1.0, \"v\": 2}|\x80\x04\x95\0\0\0\0\0\0\0\0.",
            br#"{"ct": 1"#,
        ],
    )
}

fn lengths(on: &Fixture) -> Ended {
    let bytes = noise(65_537);
    let mut lengths: Vec<usize> = (0..40).collect();
    for power in 6..=16 {
        lengths.extend([(1 << power) - 1, 1 << power, (1 << power) + 1]);
    }
    lengths.retain(|length| *length <= on.largest_value());
    survive(on, lengths.into_iter().map(|length| &bytes[..length]))
}

const MEBIBYTE: usize = 1 << 20;

fn mebibyte(on: &Fixture) -> Ended {
    long(on, 1)
}

fn sixteen(on: &Fixture) -> Ended {
    long(on, 4)?;
    long(on, 16)
}

fn long(on: &Fixture, mebibytes: u8) -> Ended {
    let length = usize::from(mebibytes) * MEBIBYTE;
    if length > on.largest_value() {
        let largest = on.largest_value();
        return skipped(format_args!(
            "values of more than {largest} bytes are not to be tried"
        ));
    }
    let (key, block) = (on.key("a"), noise(MEBIBYTE));
    let mut bytes = block.repeat(usize::from(mebibytes));
    // No two blocks are alike.
    for (number, block) in (0..).zip(bytes.chunks_mut(MEBIBYTE)) {
        block[0] = number;
    }
    if !on.set_unless_refused(&key, &bytes)? {
        return not_supported(format_args!(
            "this storage refuses a value of {length} bytes"
        ));
    }
    on.expect(&key, &bytes)?;
    Ok(on.backend.delete(&key.as_key())?)
}

fn compressible(on: &Fixture) -> Ended {
    let length = on.largest_value().min(100_000);
    let (zeros, text) = (vec![0; length], b"abcdefgh".repeat(length / 10));
    survive(on, [&zeros[..], &text[..]])
}

fn foreign(on: &Fixture) -> Ended {
    survive(
        on,
        [
            &b"\x80\x04K*."[..], // a pickle
            b"\x1f\x8b\x08\0",   // gzip
            b"(\xb5/\xfd",       // zstd
            b"x\x9c",            // zlib
            b"\xc1\xff",         // no MessagePack
            b"\xff\xfe",         // no UTF-8
            b"42",
            b"-1",
            b"1e5",
            b"null",
            b"true",
            b"nan",
        ],
    )
}

fn given(on: &Fixture) -> Ended {
    let (key, bytes) = (on.key("a"), noise(1000));
    let value = Value::with(&Metadata::default(), key.as_key(), bytes.clone());
    on.backend.set(&key.as_key(), &value)?;
    on.expect(&key, &bytes)?;
    // One that was made for no key: a plugin's or a test's own.
    on.backend.set(&key.as_key(), &Value::from(&b"bare"[..]))?;
    on.expect(&key, b"bare")
}
