/// The word that was probably meant, if one is near enough.
pub(super) fn nearest<'w>(found: &str, words: &[&'w str]) -> Option<&'w str> {
    let found = found.to_lowercase().replace('-', "_");
    let limit = (found.chars().count() / 3).max(1);
    words
        .iter()
        .map(|word| {
            let distance = strsim::osa_distance(&found, &word.to_lowercase().replace('-', "_"));
            (distance, *word)
        })
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, word)| word)
}

/// What tells a word from one that looks the same: the first letter of it that is none of English. Continues a sentence,
/// or is empty.
pub(super) fn other_letter(found: &str) -> String {
    let other = found.chars().find(|c| c.is_alphabetic() && !c.is_ascii());
    other.map_or_else(String::new, |c| {
        format!(
            " Its `{c}` is U+{:04X}, whatever it looks like",
            u32::from(c)
        )
    })
}

/// `"a"`, `"b"` or `"c"`.
pub(super) fn list(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
    match quoted.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::{list, nearest};

    #[test]
    fn slips_are_recognised_and_other_words_are_not() {
        let words = ["expiration_time", "backend", "max_stale"];
        assert_eq!(nearest("expiration-time", &words), Some("expiration_time"));
        assert_eq!(nearest("expirationtime", &words), Some("expiration_time"));
        assert_eq!(nearest("bakcend", &words), Some("backend"));
        assert_eq!(nearest("Backend", &words), Some("backend"));
        assert_eq!(nearest("colour", &words), None);
        assert_eq!(nearest("", &words), None);
    }

    #[test]
    fn choices_are_listed() {
        assert_eq!(list(&["a"]), "\"a\"");
        assert_eq!(list(&["a", "b", "c"]), "\"a\", \"b\" or \"c\"");
    }
}
