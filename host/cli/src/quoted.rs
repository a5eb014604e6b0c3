//! Words as a shell takes them.

/// Letters, digits and these need no quotes.
const PLAIN: &str = "-_./:=@%+,";

/// A command line that can be pasted.
pub(crate) fn line(words: &[String]) -> String {
    let words: Vec<_> = words.iter().map(|text| word(text)).collect();
    words.join(" ")
}

/// A word of one.
pub(crate) fn word(word: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || PLAIN.contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        word.to_owned()
    } else if word.chars().any(char::is_control) {
        // A line stays a line, and a terminal as it was.
        format!("$'{}'", word.chars().map(escaped).collect::<String>())
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

fn escaped(c: char) -> String {
    match c {
        '\n' => r"\n".to_owned(),
        '\'' | '\\' => format!(r"\{c}"),
        _ if c.is_control() => format!(r"\u{:04x}", u32::from(c)),
        _ => c.to_string(),
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

    #[test]
    fn what_a_terminal_would_obey_is_shown_as_bash_takes_it() {
        let text = "a\u{1b}[2J\u{9b} it's \\ \n.";
        let quoted = word(text);
        assert_eq!(quoted, r"$'a\u001b[2J\u009b it\'s \\ \n.'");
        let told = std::process::Command::new("bash")
            .args(["-c", &format!("printf %s {quoted}")])
            .env("LC_ALL", "C.UTF-8")
            .output()
            .unwrap();
        assert_eq!(told.stdout, text.as_bytes());
    }
}
