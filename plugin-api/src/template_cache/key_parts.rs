use std::fmt;

/// Texts in a row, each behind its length, so that no two rows are one text: `2:é1:b`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyParts(String);

impl KeyParts {
    /// None yet, with room for so many bytes.
    pub fn with_capacity(bytes: usize) -> Self {
        Self(String::with_capacity(bytes))
    }

    /// One more.
    pub fn push(&mut self, part: &str) {
        push_number(&mut self.0, part.len());
        self.0.push(':');
        self.0.push_str(part);
    }

    /// One more, which `write` appends to the text that it is given; none if that fails.
    ///
    /// # Errors
    ///
    /// Those of `write`.
    pub fn push_by<E>(
        &mut self,
        write: impl FnOnce(&mut String) -> Result<(), E>,
    ) -> Result<(), E> {
        let start = self.0.len();
        if let Err(error) = write(&mut self.0) {
            self.0.truncate(start);
            return Err(error);
        }
        let mut length = self.0.len() - start;
        // Most are short: what was written is moved once then.
        if let Some(front) = FRONTS.get(length) {
            self.0.insert_str(start, front);
            return Ok(());
        }
        self.0.insert(start, ':');
        loop {
            self.0.insert(start, digit(length));
            length /= 10;
            if length == 0 {
                return Ok(());
            }
        }
    }

    /// No parts, and room for as many as there were.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// Those of another row, behind these.
    pub fn append(&mut self, other: &Self) {
        self.0.push_str(&other.0);
    }

    /// The whole text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Each by itself.
    pub fn iter(&self) -> KeyPartsIter<'_> {
        KeyPartsIter { rest: &self.0 }
    }
}

impl From<KeyParts> for String {
    fn from(parts: KeyParts) -> Self {
        parts.0
    }
}

impl<'a> IntoIterator for &'a KeyParts {
    type Item = &'a str;
    type IntoIter = KeyPartsIter<'a>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// The texts of [`KeyParts`], in their order.
#[derive(Clone)]
pub struct KeyPartsIter<'a> {
    rest: &'a str,
}

impl<'a> KeyPartsIter<'a> {
    /// Of what [`KeyParts::as_str`] gave.
    pub(super) fn of(text: &'a str) -> Self {
        Self { rest: text }
    }
}

impl<'a> Iterator for KeyPartsIter<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let (length, rest) = self.rest.split_once(':')?;
        let (part, rest) = rest.split_at_checked(length.parse().ok()?)?;
        self.rest = rest;
        Some(part)
    }
}

/// As a list.
impl fmt::Debug for KeyPartsIter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.clone()).finish()
    }
}

/// In decimal. By hand: keys are made on every hit, and formatting costs several times as much.
fn push_number(text: &mut String, number: usize) {
    if number >= 10 {
        push_number(text, number / 10);
    }
    text.push(digit(number));
}

/// What stands before a part of that length.
const FRONTS: [&str; 16] = [
    "0:", "1:", "2:", "3:", "4:", "5:", "6:", "7:", "8:", "9:", "10:", "11:", "12:", "13:", "14:",
    "15:",
];

/// The last of a number.
fn digit(number: usize) -> char {
    char::from(b"0123456789"[number % 10])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(parts: &[&str]) -> KeyParts {
        let mut row = KeyParts::default();
        for part in parts {
            row.push(part);
        }
        row
    }

    #[test]
    fn no_two_rows_of_parts_are_one_text_and_each_is_read_back() {
        let rows: &[&[&str]] = &[
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
        for (at, row) in rows.iter().enumerate() {
            assert!(
                rows[..at].iter().all(|other| of(other) != of(row)),
                "{row:?}"
            );
            assert_eq!(of(row).iter().collect::<Vec<_>>(), *row);
        }
        assert_eq!(of(&["é", "b"]).as_str(), "2:é1:b");
        let long = "x".repeat(1203);
        assert_eq!(of(&[&long]).as_str(), format!("1203:{long}"));
    }

    #[test]
    fn a_part_that_is_written_is_the_same_as_one_that_is_pushed() {
        let mut row = of(&["a"]);
        for part in [
            "",
            "b",
            "twelve bytes",
            "with fifteen it",
            "sixteen are it 6",
        ] {
            let written: Result<(), fmt::Error> = row.push_by(|text| {
                text.push_str(part);
                Ok(())
            });
            written.unwrap();
        }
        let failed = row.push_by(|text| {
            text.push_str("half");
            Err(())
        });
        assert_eq!(failed, Err(()));
        let all = [
            "a",
            "",
            "b",
            "twelve bytes",
            "with fifteen it",
            "sixteen are it 6",
        ];
        assert_eq!(row, of(&all));
        let mut both = of(&["x"]);
        both.append(&row);
        assert_eq!(both.iter().collect::<Vec<_>>(), [&["x"][..], &all].concat());
        both.clear();
        assert_eq!(both, of(&[]));
    }

    #[test]
    fn what_is_no_row_ends_where_it_is_none() {
        for text in ["x", "2", "2:", "2:é2:é", "9:abc", ":a", "-1:a"] {
            let read: Vec<&str> = KeyPartsIter::of(text).collect();
            assert!(read.iter().all(|part| *part == "é"), "{text}");
        }
    }
}
