//! What is told of a page's fragments: in a header, and in a comment for who asked for it.

use std::fmt::Write;

use axum::http::HeaderValue;
use dogpile_templates::{Trace, TracedPart};

/// So long is the header's value at most, in bytes: proxies refuse long ones.
const LONGEST: usize = 1000;

/// The longest end of the header's value, where parts are left out.
const MORE: &str = ", more;parts=18446744073709551615";

/// A list (RFC 9651) of the parts of pages that were asked for: `"_nav.html:links";fresh=1, "list.html:row";fresh=78`.
/// Where there are too many, `more;parts=12` says how many are left out. None if nothing was asked for.
pub(super) fn header(trace: &Trace) -> Option<HeaderValue> {
    let mut value = String::new();
    let parts = within(trace);
    for (index, part) in parts.iter().enumerate() {
        let separator = if index == 0 { "" } else { ", " };
        let item = format!("{separator}{}", item(part));
        if value.len() + item.len() + MORE.len() > LONGEST {
            let left_out = parts.len() - index;
            write!(value, "{separator}more;parts={left_out}").ok()?;
            break;
        }
        value.push_str(&item);
    }
    (!value.is_empty()).then(|| HeaderValue::try_from(value).ok())?
}

fn item(part: &TracedPart) -> String {
    let mut item = String::from("\"");
    for byte in format!("{}:{}", part.template(), part.name()).bytes() {
        match byte {
            b'"' | b'\\' | b'%' => write!(item, "%{byte:02X}"),
            b' '..=b'~' => write!(item, "{}", char::from(byte)),
            _ => write!(item, "%{byte:02X}"),
        }
        .expect("writing to a string does not fail");
    }
    item.push('"');
    for (outcome, times) in part.outcomes() {
        write!(item, ";{}={times}", outcome.name()).expect("writing to a string does not fail");
    }
    item
}

/// A comment of HTML: what came of the page, and a line for each part of it.
pub(super) fn comment(page: &str, trace: &Trace) -> String {
    let mut comment = format!("<!-- dogpile: this page: {page}\n");
    for part in within(trace) {
        // A comment ends with `-->` and, for some readers, with `--`.
        let line = part.to_string().replace('-', "\u{2010}").replace('>', "›");
        comment.push_str(&line);
        comment.push('\n');
    }
    comment.push_str("-->\n");
    comment
}

/// All but whole pages, in the order of their names.
fn within(trace: &Trace) -> Vec<&TracedPart> {
    let parts = trace.parts().iter();
    let mut parts: Vec<_> = parts.filter(|part| !part.name().is_empty()).collect();
    parts.sort_by_key(|part| (part.template(), part.name()));
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use dogpile_templates::{Template, ViewCache};

    /// Of parts with these names, each of which was asked for twice.
    fn trace(names: &[&str]) -> Trace {
        let cache = ViewCache::off();
        let template = Template::new("tera", "a.html", "");
        let (rendered, trace) = Trace::of(|| {
            names.iter().chain(names).all(|name| {
                let part = cache.fragment(&template, name);
                part.get_or_create(|| Ok::<_, std::fmt::Error>(String::new()))
                    .is_ok()
            })
        });
        assert!(rendered);
        trace
    }

    #[test]
    fn each_part_is_named_with_its_outcomes() {
        let value = header(&trace(&["row", "a\"b\\c%é\n"])).unwrap();
        assert_eq!(
            value,
            "\"a.html:a%22b%5Cc%25%C3%A9%0A\";bypassed=2, \"a.html:row\";bypassed=2"
        );
        assert_eq!(header(&trace(&[])), None);
    }

    #[test]
    fn a_header_is_never_too_long_and_says_what_it_leaves_out() {
        let names: Vec<String> = (0..200).map(|number| format!("{number:03}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let value = header(&trace(&names)).unwrap();
        let value = value.to_str().unwrap();
        assert!((900..=LONGEST).contains(&value.len()), "{}", value.len());
        let shown = value.matches("a.html").count();
        assert!(
            value.ends_with(&format!(", more;parts={}", 200 - shown)),
            "{value}"
        );
        let long = "x".repeat(2000);
        assert_eq!(header(&trace(&[&long])).unwrap(), "more;parts=1");
    }

    #[test]
    fn nothing_in_a_name_ends_the_comment() {
        let comment = comment("fresh", &trace(&["--><script>"]));
        assert_eq!(comment.matches("--").count(), 2);
        assert_eq!(comment.matches('>').count(), 1);
        assert!(comment.ends_with(": 2 bypassed\n-->\n"), "{comment}");
    }
}
