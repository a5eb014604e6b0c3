use std::fmt::Write;

/// Writes each part behind its length, so that no two lists of parts are one text.
pub(super) fn write(key: &mut String, part: &str) {
    write!(key, "{}:{part}", part.len()).expect("writing to a string does not fail");
}

/// A text of these parts that no others have.
pub(super) fn of(parts: &[&str]) -> String {
    let length: usize = parts.iter().map(|part| part.len() + 4).sum();
    let mut key = String::with_capacity(length);
    for part in parts {
        write(&mut key, part);
    }
    key
}

#[cfg(test)]
mod tests {
    use super::*;

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
    }
}
