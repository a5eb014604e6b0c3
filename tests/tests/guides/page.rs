//! What stands in a page: its blocks, what is typed of them, and what is to be seen then.

/// A fenced block, with the line of the page where it begins.
pub(crate) struct Block {
    pub(crate) line: usize,
    pub(crate) language: String,
    pub(crate) text: String,
}

pub(crate) fn blocks(page: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    for (number, line) in page.lines().enumerate() {
        match (line.trim_start().strip_prefix("```"), &mut open) {
            (Some(language), None) => {
                open = Some(Block {
                    line: number + 1,
                    language: language.to_owned(),
                    text: String::new(),
                });
            }
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (None, Some(block)) => block.text.extend([line, "\n"]),
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "a block has no end");
    blocks
}

/// What is typed in a page's folder, and what is to be seen then.
pub(crate) struct Typed {
    pub(crate) line: usize,
    pub(crate) command: String,
    pub(crate) expected: String,
}

/// The commands of a `console` block; a line that begins with `> ` belongs to the command before it.
pub(crate) fn commands(block: &Block) -> Vec<Typed> {
    let mut typed: Vec<Typed> = Vec::new();
    for (number, line) in block.text.lines().enumerate() {
        let last = typed.last_mut();
        match (line.strip_prefix("$ "), line.strip_prefix("> "), last) {
            (Some(command), ..) => typed.push(Typed {
                line: block.line + 1 + number,
                command: command.to_owned(),
                expected: String::new(),
            }),
            (None, Some(more), Some(last)) if last.expected.is_empty() => {
                last.command.extend(["\n", more]);
            }
            (None, _, Some(last)) => last.expected.extend([line, "\n"]),
            (None, _, None) => panic!("line {}: no command before it", block.line + 1 + number),
        }
    }
    typed
}

/// `…` stands for any text, and newlines at the end for nothing.
pub(crate) fn matches(expected: &str, found: &str) -> bool {
    let [expected, found] = [expected, found].map(|text| text.trim_end_matches('\n'));
    let Some((first, others)) = expected.split_once('…') else {
        return expected == found;
    };
    let (middle, last) = others.rsplit_once('…').unwrap_or(("", others));
    let rest = found.strip_prefix(first);
    let Some(mut rest) = rest.and_then(|rest| rest.strip_suffix(last)) else {
        return false;
    };
    middle.split('…').all(|part| {
        let at = rest.find(part);
        rest = at.map_or("", |at| &rest[at + part.len()..]);
        at.is_some()
    })
}
