use crate::views::error::Position;
use crate::views::lexer::position;

/// A template's text as the engine gets it, which knows where each part of it stood.
#[derive(Debug, Default)]
pub(crate) struct Rewritten {
    pub(crate) text: String,
    /// In the order of the text.
    parts: Vec<Part>,
}

#[derive(Debug)]
struct Part {
    at: usize,
    source: usize,
    /// Written in place of something else: all of it stands where that did.
    is_new: bool,
}

impl Rewritten {
    /// Goes on with a piece of the source, which starts at `source`.
    pub(super) fn copy(&mut self, text: &str, source: usize) {
        self.part(text, source, false);
    }

    /// Goes on with something in place of what starts at `source`.
    pub(super) fn write(&mut self, text: &str, source: usize) {
        self.part(text, source, true);
    }

    fn part(&mut self, text: &str, source: usize, is_new: bool) {
        let at = self.text.len();
        self.parts.push(Part { at, source, is_new });
        self.text.push_str(text);
    }

    /// The place in `source` of a place in the text.
    pub(crate) fn original(&self, source: &str, at: Position) -> Position {
        let byte = byte(&self.text, at);
        let next = self.parts.partition_point(|part| part.at <= byte);
        let Some(part) = next.checked_sub(1).map(|index| &self.parts[index]) else {
            return at;
        };
        let offset = if part.is_new { 0 } else { byte - part.at };
        let mut original = (part.source + offset).min(source.len());
        while !source.is_char_boundary(original) {
            original -= 1;
        }
        position(source, original)
    }
}

/// The byte of a place, or the nearest before it that there is.
fn byte(text: &str, at: Position) -> usize {
    let mut start = 0;
    for _ in 1..at.line {
        match text[start..].find('\n') {
            Some(newline) => start += newline + 1,
            None => return text.len(),
        }
    }
    let line = text[start..].split('\n').next().unwrap_or_default();
    let column = line.char_indices().nth(at.column.saturating_sub(1));
    start + column.map_or(line.len(), |(byte, _)| byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(line: usize, column: usize) -> Position {
        Position { line, column }
    }

    #[test]
    fn each_place_leads_back_to_where_it_stood() {
        let source = "añ\n{% long tag %}\nzé!";
        let mut rewritten = Rewritten::default();
        rewritten.copy(&source[..4], 0);
        rewritten.write("{{ x }}", 4);
        rewritten.copy(&source[18..], 18);
        assert_eq!(rewritten.text, "añ\n{{ x }}\nzé!");
        for (new, old) in [
            (at(1, 1), at(1, 1)),
            (at(1, 2), at(1, 2)),
            (at(2, 1), at(2, 1)),
            (at(2, 5), at(2, 1)),
            (at(3, 1), at(3, 1)),
            (at(3, 3), at(3, 3)),
            // Beyond the end of a line, or of the text.
            (at(9, 9), at(3, 4)),
        ] {
            assert_eq!(rewritten.original(source, new), old, "{new:?}");
        }
    }
}
