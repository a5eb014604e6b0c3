//! What is in a lock: who holds it, and whether its value was deleted meanwhile.

use std::process;

use dogpile_plugin_api::{Error, Result};

use crate::command::Item;

/// What a deletion adds to a lock, so that nothing is stored under it any more.
pub(crate) const MARK: &[u8] = b"!";

/// The digits of a token.
const DIGITS: usize = 32;

/// Who holds a lock, as it is in the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Held<'i> {
    /// The holder's token.
    pub(crate) token: &'i [u8],
    /// Whether the value was deleted since.
    pub(crate) is_marked: bool,
}

impl<'i> Held<'i> {
    /// None of a lock that is not of this plugin's making: Python's has no token.
    pub(crate) fn by(item: &'i Item) -> Option<Self> {
        let (token, marks) = item.bytes.split_at_checked(DIGITS)?;
        let is_ours = token.iter().all(u8::is_ascii_hexdigit)
            && marks.chunks(MARK.len()).all(|mark| mark == MARK);
        is_ours.then_some(Self {
            token,
            is_marked: !marks.is_empty(),
        })
    }
}

/// A new one, which begins with the process that has it: a child has none of its parent's.
pub(crate) fn new() -> Result<[u8; 16]> {
    let mut token = [0; 16];
    token[..4].copy_from_slice(&process::id().to_be_bytes());
    let random = &mut token[4..];
    match rustix::rand::getrandom(&mut *random, rustix::rand::GetRandomFlags::empty()) {
        Ok(filled) if filled == random.len() => Ok(token),
        Ok(_) => Err(Error::unavailable("the kernel gave too few random bytes")),
        Err(error) => Err(Error::unavailable(error)),
    }
}

/// As the server has it; empty if it is another process's, which is nobody's.
pub(crate) fn text(token: &[u8; 16]) -> String {
    if token[..4] == process::id().to_be_bytes() {
        format!("{:032x}", u128::from_be_bytes(*token))
    } else {
        String::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(text: &str) -> Item {
        Item {
            bytes: text.into(),
            ..Item::default()
        }
    }

    #[test]
    fn the_holder_and_deletions_are_read_back() {
        let token = text(&new().unwrap());
        for (marks, is_marked) in [("", false), ("!", true), ("!!", true)] {
            let item = item(&format!("{token}{marks}"));
            let token = token.as_bytes();
            assert_eq!(Held::by(&item), Some(Held { token, is_marked }));
        }
        for foreign in [
            "",
            "1",
            "1!",
            &token[1..],
            &format!("{token}x"),
            &"x".repeat(32),
        ] {
            assert_eq!(Held::by(&item(foreign)), None, "{foreign}");
        }
    }

    #[test]
    fn another_process_has_none_of_these_tokens() {
        let mut token = new().unwrap();
        assert_ne!(token, new().unwrap());
        token[3] ^= 1;
        assert_eq!(text(&token), "");
    }
}
