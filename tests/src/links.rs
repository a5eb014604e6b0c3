//! Links of Markdown pages, and whether they lead anywhere.

use std::fs;
use std::path::Path;

/// What the links and pictures of a page name, each with its line.
pub fn links(page: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    for (number, line) in prose(page) {
        // Every other part stands between backquotes.
        let mut is_code = false;
        for (part, rest) in parts(line) {
            let code = is_code;
            is_code ^= part.ends_with('`');
            // The text of a link may be code, which ends before the bracket.
            if code || !part.ends_with("](") {
                continue;
            }
            found.extend(rest.split_once(')').map(|(link, _)| (number, link)));
        }
    }
    found
}

/// The parts of a line that end in a backquote or where a link's target begins, each with what follows it.
fn parts(line: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut begin = 0;
    let ends = line.char_indices().filter_map(|(at, letter)| match letter {
        '`' => Some(at + 1),
        '(' if line[..at].ends_with(']') => Some(at + 1),
        _ => None,
    });
    ends.map(move |end| {
        let part = &line[begin..end];
        begin = end;
        (part, &line[end..])
    })
}

/// The lines of a page that are in no fenced block, counted from 1.
fn prose(page: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut is_code = false;
    (1..).zip(page.lines()).filter(move |(_, line)| {
        let is_fence = line.trim_start().starts_with("```");
        is_code ^= is_fence;
        !is_code && !is_fence
    })
}

/// What leads to a page's headings behind a `#`, as the usual renderers make it of them.
pub fn anchors(page: &str) -> Vec<String> {
    let mut anchors: Vec<String> = Vec::new();
    for (_, line) in prose(page) {
        let text = line.trim_start_matches('#');
        if text == line || !text.starts_with(' ') {
            continue;
        }
        let letters = text.trim().chars().filter_map(|letter| match letter {
            ' ' => Some('-'),
            '-' | '_' => Some(letter),
            _ => letter.is_alphanumeric().then_some(letter),
        });
        let anchor: String = letters.flat_map(char::to_lowercase).collect();
        let mut one = anchor.clone();
        let mut more = 1..;
        while anchors.contains(&one) {
            one = format!("{anchor}-{}", more.next().unwrap_or(0));
        }
        anchors.push(one);
    }
    anchors
}

/// The links of a page to nothing in this folder or others: no such file, or no such heading in it.
///
/// # Panics
///
/// If the page cannot be read.
pub fn dead_links(page: &Path) -> Vec<String> {
    let text = fs::read_to_string(page).expect("the page is text");
    let folder = page.parent().expect("it is in a folder");
    let is_dead = |link: &str| {
        let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
        let to = if file.is_empty() {
            page.to_owned()
        } else {
            folder.join(file)
        };
        let has_anchor = || {
            let there = fs::read_to_string(&to).unwrap_or_default();
            anchors(&there).iter().any(|one| one == anchor)
        };
        !to.exists() || (!anchor.is_empty() && !has_anchor())
    };
    let ours = links(&text)
        .into_iter()
        .filter(|(_, link)| !is_elsewhere(link));
    let dead = ours.filter(|(_, link)| is_dead(link));
    dead.map(|(line, link)| format!("{}:{line}: {link} leads nowhere", page.display()))
        .collect()
}

/// Whether a link has a scheme, and so means the same wherever its page is.
pub fn is_elsewhere(link: &str) -> bool {
    link.contains("://") || link.starts_with("mailto:")
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "\
# Of `set` and *get*: 1, 2

[a](a.md#part) and ![b](b.svg), not `[c](c.md)` but [`d`](d.md)
```text
# no heading
[e](e.md)
```
## Twice
#no heading
[f](https://example.org/f#g) [g](#twice-1)
## Twice
";

    #[test]
    fn links_are_found_and_code_is_none() {
        assert_eq!(
            links(PAGE),
            [
                (3, "a.md#part"),
                (3, "b.svg"),
                (3, "d.md"),
                (10, "https://example.org/f#g"),
                (10, "#twice-1")
            ]
        );
    }

    #[test]
    fn a_heading_is_named_by_its_words_and_its_number() {
        assert_eq!(anchors(PAGE), ["of-set-and-get-1-2", "twice", "twice-1"]);
    }

    #[test]
    fn a_link_to_no_file_or_to_no_heading_is_dead() {
        let folder = tempfile::tempdir().expect("there is room");
        let page = folder.path().join("page.md");
        fs::write(&page, PAGE).expect("there is room");
        fs::write(folder.path().join("a.md"), "# Other").expect("there is room");
        fs::write(folder.path().join("b.svg"), "").expect("there is room");
        let dead = dead_links(&page);
        let ends = [":3: a.md#part leads nowhere", ":3: d.md leads nowhere"];
        assert_eq!(dead.len(), ends.len(), "{dead:?}");
        for (dead, end) in dead.iter().zip(ends) {
            assert!(dead.ends_with(end), "{dead}");
        }
    }
}
