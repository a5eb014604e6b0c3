use std::str;

/// The most digits that a length has.
const DIGITS: usize = 20;

/// A number as decimal text. By hand, as all here: it is done on every hit, and formatting costs several times as much.
struct Decimal {
    digits: [u8; DIGITS],
    first: usize,
}

impl Decimal {
    fn new(mut number: usize) -> Self {
        let mut decimal = Self {
            digits: [0; DIGITS],
            first: DIGITS,
        };
        loop {
            decimal.first -= 1;
            decimal.digits[decimal.first] = b"0123456789"[number % 10];
            number /= 10;
            if number == 0 {
                return decimal;
            }
        }
    }

    fn as_str(&self) -> &str {
        str::from_utf8(&self.digits[self.first..]).unwrap_or_default()
    }
}

/// A text of these parts that no others have: each stands behind its length.
pub(super) fn of<'a>(parts: impl Iterator<Item = &'a str> + Clone) -> String {
    let digits = |part: &str| part.len().checked_ilog10().unwrap_or(0) as usize + 1;
    let lengths = parts.clone().map(|part| digits(part) + 1 + part.len());
    let mut key = String::with_capacity(lengths.sum());
    for part in parts {
        key.push_str(Decimal::new(part.len()).as_str());
        key.push(':');
        key.push_str(part);
    }
    key
}

#[cfg(test)]
mod tests {
    fn of(parts: &[&str]) -> String {
        super::of(parts.iter().copied())
    }

    #[test]
    fn no_two_lists_of_parts_are_one_text() {
        let lists: &[&[&str]] = &[
            &[],
            &[""],
            &["", ""],
            &["a"],
            &["a", ""],
            &["", "a"],
            &["a1:b"],
            &["a", "b"],
            &["a:b"],
            &["a:", "b"],
            &["ab"],
            &["a", "b", ""],
            &["1 2", "3"],
            &["1", "2 3"],
        ];
        for (at, list) in lists.iter().enumerate() {
            assert!(
                lists[..at].iter().all(|other| of(other) != of(list)),
                "{list:?}"
            );
        }
        assert_eq!(of(&["é", "b"]), "2:é1:b");
        let long = "x".repeat(1203);
        assert_eq!(of(&[&long]), format!("1203:{long}"));
        for length in [0, 1, 9, 10, 99, 100, 1000] {
            let key = of(&[&"x".repeat(length), "y"]);
            assert_eq!(key.len(), key.capacity(), "{length}");
        }
    }
}
