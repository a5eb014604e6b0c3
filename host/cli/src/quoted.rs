//! Words as a shell takes them.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;

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

/// A path of any bytes as a word.
pub(crate) fn path(path: &Path) -> String {
    if let Some(text) = path.to_str() {
        return word(text);
    }
    let mut quoted = String::from("$'");
    for chunk in path.as_os_str().as_bytes().utf8_chunks() {
        quoted.extend(chunk.valid().chars().map(escaped));
        let bytes = chunk.invalid().iter();
        quoted.extend(bytes.map(|byte| format!(r"\x{byte:02x}")));
    }
    quoted + "'"
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
    use std::ffi::OsStr;

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
        assert_eq!(taken(&quoted), text.as_bytes());
    }

    #[test]
    fn a_path_that_is_not_utf_8_is_quoted_byte_by_byte() {
        let bytes = b"caf\xe9 \xc3\xa9'\x1b";
        let quoted = path(Path::new(OsStr::from_bytes(bytes)));
        assert_eq!(quoted, r"$'caf\xe9 é\'\u001b'");
        assert_eq!(taken(&quoted), bytes);
        assert_eq!(path(Path::new("a b")), "'a b'");
    }

    /// What a shell makes of a word.
    fn taken(word: &str) -> Vec<u8> {
        let mut shell = std::process::Command::new("bash");
        shell.args(["-c", &format!("printf %s {word}")]);
        let told = shell.env("LC_ALL", "C.UTF-8").output().unwrap();
        told.stdout
    }
}
