//! Words as a shell takes them.

/// Letters, digits and these need no quotes.
const PLAIN: &str = "-_./:=@%+,";

/// A command line that can be pasted.
pub(super) fn line(words: &[String]) -> String {
    let words: Vec<_> = words.iter().map(|word| quoted(word)).collect();
    words.join(" ")
}

fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || PLAIN.contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        word.to_owned()
    } else if word.chars().any(char::is_control) {
        // A line stays a line, and a terminal as it was.
        let escaped: String = word.chars().flat_map(char::escape_default).collect();
        format!("$'{escaped}'")
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_where_a_shell_needs_it() {
        let words = ["sh", "-c", "echo it's", "", "a\nb"].map(str::to_owned);
        assert_eq!(line(&words), r"sh -c 'echo it'\''s' '' $'a\nb'");
    }
}
