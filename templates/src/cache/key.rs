/// Writes each part behind its length, so that no two lists of parts are one text. By hand: it is done on every hit, and
/// formatting costs several times as much.
pub(super) fn write(key: &mut String, part: &str) {
    let mut digits = [0; 20];
    let mut first = digits.len();
    let mut length = part.len();
    loop {
        first -= 1;
        digits[first] = b"0123456789"[length % 10];
        length /= 10;
        if length == 0 {
            break;
        }
    }
    key.extend(digits[first..].iter().map(|digit| char::from(*digit)));
    key.push(':');
    key.push_str(part);
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
        let long = "x".repeat(1203);
        assert_eq!(of(&[&long]), format!("1203:{long}"));
    }
}
