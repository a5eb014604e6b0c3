use std::ops::Range;

use redis::Value;

use crate::failure::{Answer, Failure};

/// What a server sends, cut into replies. Whatever part of a reply has come stays for the rest of it.
pub(crate) struct Replies {
    bytes: Vec<u8>,
    /// The bytes that have come, from the reply that is next.
    come: Range<usize>,
    /// How far the next reply was looked at, and how many of its parts begin there or later: one, or more of an array.
    at: usize,
    parts: usize,
}

/// Room for bytes at first, the least that is given, and the most that is kept for replies to come.
const ROOM: usize = 16 * 1024;
const LEAST: usize = 4 * 1024;
const KEPT: usize = 256 * 1024;

/// The longest line: only errors are longer than a number.
const LINE: usize = 64 * 1024;

impl Replies {
    pub(crate) fn new() -> Self {
        Self {
            bytes: Vec::new(),
            come: 0..0,
            at: 0,
            parts: 1,
        }
    }

    /// Those that have come already.
    pub(crate) fn of(bytes: Vec<u8>) -> Self {
        Self {
            come: 0..bytes.len(),
            bytes,
            ..Self::new()
        }
    }

    /// The next reply, if all of it has come: where [`Replies::get`] finds it until more bytes are asked for.
    pub(crate) fn next(&mut self) -> Answer<Option<Range<usize>>> {
        while self.parts > 0 {
            match part(&self.bytes[self.at..self.come.end])? {
                Some(part) => {
                    self.at += part.length;
                    self.parts = self.parts - 1 + part.holds;
                }
                None => return Ok(None),
            }
        }
        let reply = self.come.start..self.at;
        self.come.start = self.at;
        self.parts = 1;
        Ok(Some(reply))
    }

    pub(crate) fn get(&self, reply: Range<usize>) -> &[u8] {
        &self.bytes[reply]
    }

    /// Where the next bytes are to be written; [`Replies::came`] hears how many were.
    pub(crate) fn room(&mut self) -> &mut [u8] {
        if self.come.start > 0 {
            self.bytes.copy_within(self.come.clone(), 0);
            self.at -= self.come.start;
            self.come = 0..self.come.len();
        }
        if self.bytes.len() - self.come.end < LEAST {
            let length = (2 * self.bytes.len()).max(ROOM);
            self.bytes.resize(length, 0);
        }
        &mut self.bytes[self.come.end..]
    }

    pub(crate) fn came(&mut self, length: usize) {
        self.come.end += length;
    }

    /// Keeps no more room than most replies want.
    pub(crate) fn rest(&mut self) {
        if self.bytes.len() > KEPT && self.come.is_empty() {
            *self = Self::new();
        }
    }
}

/// A part of a reply: a line, or a text behind a line that has its length.
struct Part {
    length: usize,
    /// Where the text is.
    text: Option<Range<usize>>,
    /// So many parts that belong to it follow.
    holds: usize,
}

const END: &[u8] = b"\r\n";

/// The part with which these bytes begin, if it is whole.
fn part(bytes: &[u8]) -> Answer<Option<Part>> {
    let Some(kind) = bytes.first() else {
        return Ok(None);
    };
    if !b"+-:_,#($=!*~>%|".contains(kind) {
        return Err(Failure::Nonsense);
    }
    let Some(line) = bytes.iter().take(LINE).position(|byte| *byte == b'\r') else {
        return if bytes.len() < LINE {
            Ok(None)
        } else {
            Err(Failure::Nonsense)
        };
    };
    if !ends(bytes, line)? {
        return Ok(None);
    }
    let length = line + END.len();
    let of_line = |holds| Part {
        length,
        text: None,
        holds,
    };
    if b"+-:_,#(".contains(kind) {
        return Ok(Some(of_line(0)));
    }
    let size = match number(&bytes[1..line])? {
        // There is none.
        -1 if b"$*".contains(kind) => return Ok(Some(of_line(0))),
        // No value is longer.
        size => u32::try_from(size).map_err(|_| Failure::Nonsense)?,
    };
    let size = usize::try_from(size).map_err(|_| Failure::Nonsense)?;
    match kind {
        b'*' | b'~' | b'>' => Ok(Some(of_line(size))),
        b'%' => Ok(Some(of_line(2 * size))),
        b'|' => Ok(Some(of_line(2 * size + 1))),
        _ if !ends(bytes, length + size)? => Ok(None),
        _ => Ok(Some(Part {
            length: length + size + END.len(),
            text: Some(length..length + size),
            holds: 0,
        })),
    }
}

/// Whether the end of a line or text, which is there or nowhere, has come.
fn ends(bytes: &[u8], at: usize) -> Answer<bool> {
    match bytes.get(at..) {
        Some([b'\r', b'\n', ..]) => Ok(true),
        None | Some([] | [b'\r']) => Ok(false),
        Some(_) => Err(Failure::Nonsense),
    }
}

fn number(digits: &[u8]) -> Answer<i64> {
    let number = std::str::from_utf8(digits)
        .ok()
        .and_then(|digits| digits.parse().ok());
    number.ok_or(Failure::Nonsense)
}

/// What a whole reply says.
pub(crate) fn value(reply: &[u8]) -> Answer<Value> {
    match reply {
        b"+OK\r\n" => Ok(Value::Okay),
        b"$-1\r\n" => Ok(Value::Nil),
        [b':', digits @ .., b'\r', b'\n'] => number(digits).map(Value::Int),
        _ => redis::parse_redis_value(reply).map_err(|_| Failure::Nonsense),
    }
}

/// The text that a whole reply is, or `None` where there is none.
pub(crate) fn text(reply: &[u8]) -> Answer<Option<&[u8]>> {
    match reply.first() {
        Some(b'$') => first_text(reply).map(|(text, _)| text),
        _ => match value(reply)? {
            Value::Nil => Ok(None),
            Value::ServerError(error) => Err(Failure::Refused(error)),
            _ => Err(Failure::Nonsense),
        },
    }
}

/// The texts that a whole reply lists, each of which may be `None`.
pub(crate) fn texts(reply: &[u8]) -> Answer<Texts<'_>> {
    match part(reply)? {
        Some(part) if reply.starts_with(b"*") => Ok(Texts {
            rest: &reply[part.length..],
            left: part.holds,
        }),
        _ => match value(reply)? {
            Value::ServerError(error) => Err(Failure::Refused(error)),
            _ => Err(Failure::Nonsense),
        },
    }
}

/// Texts of a reply.
pub(crate) struct Texts<'r> {
    rest: &'r [u8],
    left: usize,
}

impl Texts<'_> {
    pub(crate) fn left(&self) -> usize {
        self.left
    }
}

impl<'r> Iterator for Texts<'r> {
    type Item = Answer<Option<&'r [u8]>>;

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let first = match self.rest.first() {
            Some(b'$') => first_text(self.rest),
            _ => Err(Failure::Nonsense),
        };
        Some(first.map(|(text, rest)| {
            self.rest = rest;
            text
        }))
    }
}

/// The text with which these bytes begin, and what is behind it.
fn first_text(bytes: &[u8]) -> Answer<(Option<&[u8]>, &[u8])> {
    let part = part(bytes)?.ok_or(Failure::Nonsense)?;
    let text = part.text.map(|text| &bytes[text]);
    Ok((text, &bytes[part.length..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All replies in these bytes, which come in pieces of that length; or that they are none.
    fn cut(bytes: &[u8], piece: usize) -> Answer<Vec<Vec<u8>>> {
        let (mut replies, mut all) = (Replies::new(), Vec::new());
        for mut piece in bytes.chunks(piece) {
            while !piece.is_empty() {
                let length = replies.room().len().min(piece.len());
                replies.room()[..length].copy_from_slice(&piece[..length]);
                replies.came(length);
                piece = &piece[length..];
                while let Some(next) = replies.next()? {
                    all.push(replies.get(next).to_vec());
                }
            }
        }
        assert!(replies.come.is_empty(), "a part is left");
        Ok(all)
    }

    #[test]
    fn replies_are_cut_where_they_end_however_they_come() {
        let long = [
            b"$70000\r\n".to_vec(),
            vec![b'\n'; 70_000],
            b"\r\n".to_vec(),
        ]
        .concat();
        let replies: [&[u8]; 20] = [
            b"+OK\r\n",
            b"-ERR no\r\n",
            b":-7\r\n",
            b"$-1\r\n",
            b"$0\r\n\r\n",
            b"$4\r\n\r\n$1\r\n",
            &long,
            b"*-1\r\n",
            b"*0\r\n",
            b"*3\r\n$1\r\na\r\n*2\r\n:1\r\n*1\r\n$-1\r\n+b\r\n",
            b"_\r\n",
            b"#t\r\n",
            b",1.5\r\n",
            b"(123456789012345678901234567890\r\n",
            b"=5\r\ntxt:a\r\n",
            b"!5\r\nERR a\r\n",
            b"~1\r\n:1\r\n",
            b">2\r\n+invalidate\r\n*1\r\n$1\r\na\r\n",
            b"%1\r\n+a\r\n:1\r\n",
            b"|1\r\n+a\r\n:1\r\n+OK\r\n",
        ];
        let all = replies.concat();
        for piece in [1, 2, 3, 7, 16 * 1024, all.len()] {
            assert_eq!(cut(&all, piece).unwrap(), replies, "{piece}");
        }
    }

    #[test]
    fn what_is_no_reply_is_refused_at_once() {
        let endless = vec![b'+'; LINE];
        for wrong in [
            &b"garbage"[..],
            b"HTTP/1.1",
            b"+OK\rx",
            b"$3\r\nfour\r\n",
            b"$x\r\n",
            b"$-2\r\n",
            b"%-1\r\n",
            b"$4294967296\r\n",
            b"$9223372036854775808\r\n",
            b"*4294967296\r\n",
            b"%9223372036854775807\r\n:1\r\n",
            &endless,
        ] {
            for piece in [wrong.len().div_ceil(50), wrong.len()] {
                let refused = cut(wrong, piece).unwrap_err();
                assert!(matches!(refused, Failure::Nonsense), "{refused}");
            }
        }
    }

    #[test]
    fn texts_are_what_they_are_and_nothing_else_is_one() {
        assert_eq!(text(b"$2\r\n\r\n\r\n").unwrap(), Some(&b"\r\n"[..]));
        assert_eq!(text(b"$0\r\n\r\n").unwrap(), Some(&b""[..]));
        assert_eq!(text(b"$-1\r\n").unwrap(), None);
        assert_eq!(text(b"_\r\n").unwrap(), None);
        let listed = texts(b"*3\r\n$1\r\na\r\n$-1\r\n$0\r\n\r\n").unwrap();
        assert_eq!(listed.left(), 3);
        let listed: Answer<Vec<_>> = listed.collect();
        assert_eq!(listed.unwrap(), [Some(&b"a"[..]), None, Some(&b""[..])]);
        for refused in [
            text(b"-LOADING x\r\n"),
            texts(b"-LOADING x\r\n").map(|_| None),
        ] {
            let refused = refused.unwrap_err();
            assert!(refused.is_code("LOADING"), "{refused}");
        }
        for nonsense in [
            text(b":1\r\n"),
            text(b"*1\r\n$1\r\na\r\n"),
            texts(b"$1\r\na\r\n").map(|_| None),
            texts(b"*1\r\n:1\r\n").and_then(|mut listed| listed.next().unwrap()),
        ] {
            assert!(matches!(nonsense, Err(Failure::Nonsense)));
        }
    }

    #[test]
    fn much_room_is_given_up_once_it_is_not_used() {
        let mut replies = Replies::new();
        let length = replies.room().len();
        replies.came(length);
        while replies.bytes.len() <= KEPT {
            let length = replies.room().len();
            replies.came(length);
        }
        replies.rest();
        assert!(replies.bytes.len() > KEPT, "what has come is kept");
        replies.come.start = replies.come.end;
        replies.at = replies.come.end;
        replies.rest();
        assert!(replies.bytes.is_empty());
    }
}
