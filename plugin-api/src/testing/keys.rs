//! Keys of all kinds. A storage may refuse a key, with an error of that kind; it may not take one for another.

use super::fixture::{Case, Ended, Fixture, not_supported};

pub(super) const CASES: &[Case] = &[
    ("keys_that_look_alike_are_different", alike),
    ("keys_in_many_scripts_are_different", scripts),
    ("keys_with_odd_characters_are_different", odd),
    ("keys_of_many_lengths_are_different", lengths),
    ("two_keys_with_one_hash_are_different", one_hash),
];

fn different(on: &Fixture<'_>, texts: &[String]) -> Ended {
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
    // Deleting each leaves all after it.
    for (at, key) in taken.iter().enumerate() {
        on.backend.delete(&key.as_key())?;
        on.absent(key)?;
        for other in taken.iter().skip(at + 1) {
            on.expect(other, other.as_key().as_bytes())?;
        }
    }
    Ok(())
}

fn owned(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

fn alike(on: &Fixture<'_>) -> Ended {
    different(
        on,
        &owned(&[
            "a", "A", "aa", "a:", ":a", "a:b", "a_b", "a-b", "0", "00", "1", "1.0", "01", "+1",
        ]),
    )
}

fn scripts(on: &Fixture<'_>) -> Ended {
    // The last four: one letter composed and decomposed, and two that one folds to the other.
    different(
        on,
        &owned(&[
            "ключ",
            "κλειδί",
            "鍵",
            "キー",
            "열쇠",
            "مفتاح",
            "מפתח",
            "चाबी",
            "🔑",
            "\u{e9}",
            "e\u{301}",
            "ß",
            "ss",
        ]),
    )
}

fn odd(on: &Fixture<'_>) -> Ended {
    different(
        on,
        &owned(&[
            "a", "a ", " a", "a\n", " ", "a b", "a  b", "a\tb", "a\nb", "a\r\nb", "a\0", "a\0b",
            "a|b", "a%20b", "a/b", "../a", "a\\b", "*", "a'b", "a\"b", "{a}", "\u{7f}",
        ]),
    )
}

fn lengths(on: &Fixture<'_>) -> Ended {
    let lengths = [0, 1, 150, 200, 201, 250, 1000, 1001, 10_000];
    different(on, &lengths.map(|length| "k".repeat(length)))
}

fn one_hash(on: &Fixture<'_>) -> Ended {
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
