//! Licence expressions as crates declare them (SPDX, and the old `A/B` for `A OR B`).

/// Whether somebody who accepts the licences that `allowed` accepts may use what is under
/// `expression`. `Err` holds the place where the expression cannot be understood.
pub(crate) fn permits(expression: &str, allowed: &dyn Fn(&str) -> bool) -> Result<bool, String> {
    let spaced = expression
        .replace('/', " OR ")
        .replace('(', " ( ")
        .replace(')', " ) ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut parser = Parser {
        words: &words,
        allowed,
    };
    let result = parser.alternatives()?;
    match parser.words.first() {
        None => Ok(result),
        Some(word) => Err(format!("unexpected `{word}`")),
    }
}

struct Parser<'a> {
    words: &'a [&'a str],
    allowed: &'a dyn Fn(&str) -> bool,
}

impl<'a> Parser<'a> {
    fn alternatives(&mut self) -> Result<bool, String> {
        let mut result = self.conjunction()?;
        while self.take("OR") {
            result |= self.conjunction()?;
        }
        Ok(result)
    }

    fn conjunction(&mut self) -> Result<bool, String> {
        let mut result = self.licence()?;
        while self.take("AND") {
            result &= self.licence()?;
        }
        Ok(result)
    }

    fn licence(&mut self) -> Result<bool, String> {
        if self.take("(") {
            let result = self.alternatives()?;
            return if self.take(")") {
                Ok(result)
            } else {
                Err("missing `)`".to_owned())
            };
        }
        let name = self.word()?;
        if !self.take("WITH") {
            return Ok((self.allowed)(name));
        }
        let exception = self.word()?;
        Ok((self.allowed)(&format!("{name} WITH {exception}")))
    }

    fn take(&mut self, word: &str) -> bool {
        match self.words.split_first() {
            Some((first, rest)) if *first == word => {
                self.words = rest;
                true
            }
            _ => false,
        }
    }

    fn word(&mut self) -> Result<&'a str, String> {
        match self.words.split_first() {
            Some((first, rest)) if !matches!(*first, "OR" | "AND" | "WITH" | "(" | ")") => {
                self.words = rest;
                Ok(first)
            }
            Some((first, _)) => Err(format!("unexpected `{first}`")),
            None => Err("it ends too early".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(expression: &str) -> Result<bool, String> {
        permits(expression, &|name| matches!(name, "MIT" | "Zlib"))
    }

    #[test]
    fn one_alternative_is_enough_and_every_part_of_a_conjunction_is_needed() {
        for expression in [
            "MIT",
            "GPL-3.0 OR MIT",
            "GPL-3.0/MIT",
            "(GPL-3.0 OR MIT) AND Zlib",
        ] {
            assert_eq!(check(expression), Ok(true), "{expression}");
        }
        for expression in ["GPL-3.0", "MIT AND GPL-3.0", "(MIT OR Zlib) AND GPL-3.0"] {
            assert_eq!(check(expression), Ok(false), "{expression}");
        }
    }

    #[test]
    fn a_licence_with_an_exception_is_another_licence() {
        assert_eq!(check("MIT WITH LLVM-exception"), Ok(false));
        assert_eq!(check("MIT WITH LLVM-exception OR Zlib"), Ok(true));
    }

    #[test]
    fn what_cannot_be_read_is_an_error() {
        for expression in ["", "MIT OR", "(MIT", "MIT Zlib", "AND MIT", "MIT)"] {
            check(expression).expect_err(expression);
        }
    }
}
