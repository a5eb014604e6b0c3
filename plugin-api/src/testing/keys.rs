//! Keys of all kinds. A storage may refuse a key, with an error of that kind; it may not take one for another.

use super::fixture::{Case, Ended, Fixture, Stop, check, not_supported};
use crate::{ErrorKind, Result};

pub(super) const CASES: &[Case] = &[
    ("keys_that_look_alike_are_different", alike),
    ("keys_in_many_scripts_are_different", scripts),
    ("keys_with_odd_characters_are_different", odd),
    ("keys_of_many_lengths_are_different", lengths),
    ("keys_at_the_usual_limits_are_whole_or_refused", limits),
    ("two_keys_with_one_hash_are_different", one_hash),
];

fn different(on: &Fixture, texts: &[String]) -> Ended {
    let keys: Vec<_> = texts.iter().map(|text| on.key(text)).collect();
    let mut taken = Vec::new();
    for key in &keys {
        if on.set_unless_refused(key, key.as_key().as_bytes())? {
            taken.push(key);
        }
    }
    if taken.is_empty() {
        return not_supported("this storage refuses all of these keys");
    }
    for key in &taken {
        on.expect(key, key.as_key().as_bytes())?;
    }
    // Deleting each leaves all after it: the next is looked for each time, and all of them at the middle.
    for (at, key) in taken.iter().enumerate() {
        on.backend.delete(&key.as_key())?;
        on.absent(key)?;
        let rest = if at == taken.len() / 2 {
            taken.len()
        } else {
            at + 2
        };
        for other in taken.iter().take(rest).skip(at + 1) {
            on.expect(other, other.as_key().as_bytes())?;
        }
    }
    Ok(())
}

fn owned(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

fn alike(on: &Fixture) -> Ended {
    different(
        on,
        &owned(&[
            "a", "A", "aa", "a:", ":a", "a:b", "a_b", "a-b", "0", "00", "1", "1.0", "01", "+1",
        ]),
    )
}

fn scripts(on: &Fixture) -> Ended {
    different(on, &owned(SCRIPTS))
}

/// Words in the scripts in use, and some of old ones beyond the first 65,536 letters. The last: one letter composed and
/// decomposed, two that one folds to the other, and what shows no letter at all.
const SCRIPTS: &[&str] = &[
    "ključ",
    "ключ",
    "κλειδί",
    "բանալի",
    "გასაღები",
    "מפתח",
    "مفتاح",
    "ܩܠܝܕܐ",
    "ތަޅުދަނޑި",
    "ߟߊߞߊ",
    "ቁልፍ",
    "ᎠᏍᏚᎢᏍᏗ",
    "ᓱᓕᐊᖅ",
    "चाबी",
    "চাবি",
    "ਚਾਬੀ",
    "ચાવી",
    "ଚାବି",
    "திறவுகோல்",
    "తాళం",
    "ಕೀಲಿ",
    "താക്കോൽ",
    "යතුර",
    "กุญแจ",
    "ກະແຈ",
    "ལྡེ་མིག",
    "သော့",
    "សោ",
    "ᠲᠦᠯᠬᠢᠭᠦᠷ",
    "かぎ",
    "キー",
    "鍵",
    "钥匙",
    "열쇠",
    "ㄧㄠˋ",
    "ꀋꉬ",
    "ⵜⴰⵙⴰⵔⵓⵜ",
    "ⲕⲗⲉⲓⲥ",
    "ᚠᚢᚦ",
    "ᚁᚂᚃ",
    "𐌰𐌱𐌲",
    "𐤀𐤁𐤂",
    "𒀀𒀁",
    "𓀀𓀁",
    "𝔎𝔢𝔶",
    "🔑",
    "𠀀",
    "\u{f8ff}",
    "\u{10ffff}",
    "\u{e9}",
    "e\u{301}",
    "ß",
    "ss",
    "\u{200b}",
    "\u{200d}",
    "\u{feff}",
];

fn odd(on: &Fixture) -> Ended {
    different(
        on,
        &owned(&[
            "a", "a ", " a", "a\n", " ", "a b", "a  b", "a\tb", "a\nb", "a\r\nb", "a\0", "a\0b",
            "a|b", "a%20b", "a/b", "../a", "a\\b", "*", "a'b", "a\"b", "{a}", "\u{7f}",
        ]),
    )
}

fn lengths(on: &Fixture) -> Ended {
    let lengths = [0, 1, 150, 200, 201, 250, 1000, 1001, 10_000];
    different(on, &lengths.map(|length| "k".repeat(length)))
}

/// Two keys of each length differ in their end alone.
fn limits(on: &Fixture) -> Ended {
    let mut taken = false;
    for around in [250, 255, 1024, 1 << 16] {
        for length in around - 1..=around + 1 {
            // Letters of one, two and three bytes, so that some limit is amid a letter.
            for fill in ["k", "é", "鍵"] {
                taken |= whole_or_refused(on, length, fill)?;
            }
        }
    }
    if !taken {
        return not_supported("this storage refuses all of these keys");
    }
    Ok(())
}

fn whole_or_refused(on: &Fixture, length: usize, fill: &str) -> std::result::Result<bool, Stop> {
    let keys = ["1", "2"].map(|end| (on.key_of_length(length, fill, end), end.as_bytes()));
    let mut taken = Vec::new();
    for (key, end) in &keys {
        if on.set_unless_refused(key, end)? {
            taken.push((key, end));
        } else {
            // What cannot be stored may be looked for all the same.
            let found = unless_refused(on.get(key))?.flatten();
            check(
                found.is_none(),
                format_args!("a key of {length} bytes was refused, and then found"),
            )?;
            unless_refused(on.backend.delete(&key.as_key()))?;
        }
    }
    for (key, end) in &taken {
        let what = format_args!("a key of {length} bytes, of two that differ in the last one");
        on.same(on.get(key)?.as_ref(), end, what)?;
    }
    for (key, _) in &taken {
        on.backend.delete(&key.as_key())?;
    }
    Ok(!taken.is_empty())
}

fn unless_refused<T>(result: Result<T>) -> Result<Option<T>> {
    match result {
        Ok(done) => Ok(Some(done)),
        Err(error) if error.kind() == ErrorKind::Refused => Ok(None),
        Err(error) => Err(error),
    }
}

fn one_hash(on: &Fixture) -> Ended {
    let first = on.key("a");
    let texts: Vec<String> = (0..10)
        .map(|n| format!("{}{n}", first.as_key().as_str()))
        .collect();
    for text in &texts {
        let key = crate::OwnedKey::new(text.clone().into(), first.as_key().hash());
        on.set(&key, text.as_bytes())?;
    }
    for (at, text) in texts.iter().enumerate() {
        let key = crate::OwnedKey::new(text.clone().into(), first.as_key().hash());
        on.expect(&key, text.as_bytes())?;
        if at % 2 == 0 {
            on.backend.delete(&key.as_key())?;
            on.absent(&key)?;
        }
    }
    Ok(())
}
