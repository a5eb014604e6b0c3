//! What a template's text refers to, and the cached fragments in it. Only words and literals are looked at, so that it
//! does not matter how tags are delimited. What looks like one and is none does no harm.

/// A `{% filter cached(…) %}`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Fragment {
    /// None if it is not written out.
    pub(crate) name: Option<String>,
    pub(crate) line: usize,
    /// If it is written out, as the next.
    pub(crate) region: Option<String>,
    /// A number of seconds, or a text such as `5m`.
    pub(crate) expiration_time: Option<String>,
    /// Whether it stands in a loop of this text and has no key.
    pub(crate) is_one_for_a_loop: bool,
}

/// What it extends, includes or imports.
pub(crate) fn references(text: &str) -> Vec<&str> {
    let words = ["extends", "include", "import"];
    let found = words.into_iter().flat_map(|word| after(text, word));
    found
        .filter_map(|at| literal(text[at..].trim_start()))
        .collect()
}

/// Its cached fragments. `has_comments` says that comments are written `{# … #}`: nothing in them counts.
pub(crate) fn fragments(text: &str, has_comments: bool) -> Vec<Fragment> {
    let bare = if has_comments {
        without_comments(text)
    } else {
        text.to_owned()
    };
    let found = after(&bare, "filter").filter_map(|at| {
        let arguments = call(&bare[at..])?;
        let key = arguments.trim_start();
        let in_tuple = || literal(key.strip_prefix('(')?.trim_start());
        let name = literal(key).or_else(in_tuple).map(str::to_owned);
        let line = bare[..at].lines().count().max(1);
        let region = named(arguments, "region").and_then(whole_literal);
        let time = named(arguments, "expiration_time");
        let time = time.and_then(|value| whole_literal(value).or_else(|| number(value)));
        Some(Fragment {
            name,
            line,
            region,
            expiration_time: time,
            is_one_for_a_loop: !has_key(key) && is_in_loop(&bare[..at]),
        })
    });
    found.collect()
}

/// Whether something stands behind the name.
fn has_key(arguments: &str) -> bool {
    let name = |text: &str| Some(literal(text)?.len() + "\"\"".len());
    match arguments.strip_prefix('(').map(str::trim_start) {
        None => false,
        Some(tuple) => name(tuple).is_none_or(|end| {
            let rest = tuple[end..].trim_start().trim_start_matches(',');
            !rest.trim_start().starts_with(')')
        }),
    }
}

/// Whether a loop is open behind `text`, by tags that are delimited as usual.
fn is_in_loop(text: &str) -> bool {
    let tags = text.split("{%").skip(1);
    let depth = tags.fold(0_usize, |depth, tag| {
        let tag = tag.trim_start_matches(['-', '+', '~']).trim_start();
        let end = tag.find(|character| !is_word(character));
        match &tag[..end.unwrap_or(tag.len())] {
            "for" => depth + 1,
            "endfor" => depth.saturating_sub(1),
            _ => depth,
        }
    });
    depth > 0
}

/// Behind each place where `word` stands as a word of its own.
fn after<'a>(text: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    text.match_indices(word).filter_map(move |(at, _)| {
        let end = at + word.len();
        let touches = text[..at].ends_with(is_word) || text[end..].starts_with(is_word);
        (!touches).then_some(end)
    })
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

/// The text literal that `text` begins with.
fn literal(text: &str) -> Option<&str> {
    let inner = text.strip_prefix('"')?;
    let mut escaped = false;
    let end = inner.find(|character| {
        let ends = character == '"' && !escaped;
        escaped = character == '\\' && !escaped;
        ends
    })?;
    Some(&inner[..end])
}

/// What stands between the brackets of a call of `cached`, by whatever path.
fn call(text: &str) -> Option<&str> {
    let open = text.find('(')?;
    let mut path = text[..open].rsplit("::").map(str::trim);
    if path.next() != Some("cached") || !path.all(|part| part.chars().all(is_word)) {
        return None;
    }
    let inner = &text[open + 1..];
    let mut depth = 0_usize;
    for (at, character) in outside_of_literals(inner) {
        match character {
            '(' | '[' | '{' => depth += 1,
            ')' if depth == 0 => return Some(&inner[..at]),
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    None
}

/// What an argument of this name is given.
fn named<'a>(arguments: &'a str, name: &str) -> Option<&'a str> {
    let mut depth = 0_usize;
    let mut starts = vec![0];
    for (at, character) in outside_of_literals(arguments) {
        match character {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => starts.push(at + 1),
            _ => {}
        }
    }
    starts.iter().enumerate().find_map(|(number, start)| {
        let end = starts
            .get(number + 1)
            .map_or(arguments.len(), |next| next - 1);
        let value = arguments[*start..end]
            .trim()
            .strip_prefix(name)?
            .trim_start();
        Some(value.strip_prefix('=')?.trim())
    })
}

/// The text literal that this is, if it is nothing but one.
fn whole_literal(value: &str) -> Option<String> {
    let inner = literal(value).filter(|inner| inner.len() + 2 == value.len())?;
    Some(inner.to_owned())
}

/// The number that this is, without the type that may follow it.
fn number(value: &str) -> Option<String> {
    let digits = value.replace('_', "");
    let end = digits.find(char::is_alphabetic).unwrap_or(digits.len());
    let number = &digits[..end];
    number.parse::<f64>().is_ok().then(|| number.to_owned())
}

/// The characters that stand in no text literal.
fn outside_of_literals(text: &str) -> impl Iterator<Item = (usize, char)> {
    let (mut inside, mut escaped) = (false, false);
    text.char_indices().filter(move |(_, character)| {
        if inside {
            inside = *character != '"' || escaped;
            escaped = *character == '\\' && !escaped;
            return false;
        }
        inside = *character == '"';
        !inside
    })
}

/// With as many lines as before. Comments can be nested.
fn without_comments(text: &str) -> String {
    let mut bare = String::with_capacity(text.len());
    let (mut depth, mut rest) = (0_usize, text);
    while let Some(character) = rest.chars().next() {
        let (step, change) = match () {
            () if rest.starts_with("{#") => (2, 1),
            () if rest.starts_with("#}") && depth > 0 => (2, -1),
            () => (character.len_utf8(), 0),
        };
        if depth == 0 && change == 0 || character == '\n' {
            bare.push(character);
        }
        depth = depth.saturating_add_signed(change);
        rest = &rest[step..];
    }
    bare
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_text_extends_includes_and_imports_is_found_however_it_is_written() {
        let text = "{%- extends \"base.html\" %}<% import\n\"m.html\" as m %>{%include \"a/b.html\"%}\
                    {# include \"c.html\" #} includes \"no\" my_include \"no\" include x";
        let mut found = references(text);
        found.sort_unstable();
        assert_eq!(found, ["a/b.html", "base.html", "c.html", "m.html"]);
    }

    #[test]
    fn cached_fragments_are_found_with_line_and_what_is_written_out() {
        let text = "a\n{% filter cached((\"row\", f(x), \")\"), region = \"r\") %}x{% endfilter %}\n\
                    {%- filter a::cached ( \"b\", tags = [\"region = \\\"no\\\"\", \"c\"], expiration_time = 5_0u64 ) -%}\n\
                    {% filter other(\"c\") %}{% filter cached((name, 1)) %}{# \n {% filter cached(\"d\") %} #}\
                    {% filter cached(\"e\", region = regions[0], expiration_time = \"5m\") %}";
        let fragment =
            |name: Option<&str>, line, region: Option<&str>, time: Option<&str>| Fragment {
                name: name.map(str::to_owned),
                line,
                region: region.map(str::to_owned),
                expiration_time: time.map(str::to_owned),
                is_one_for_a_loop: false,
            };
        let expected = [
            fragment(Some("row"), 2, Some("r"), None),
            fragment(Some("b"), 3, None, Some("50")),
            fragment(None, 4, None, None),
            fragment(Some("e"), 5, None, Some("5m")),
        ];
        assert_eq!(fragments(text, true), expected);
    }

    #[test]
    fn a_comment_keeps_its_lines_and_nothing_else() {
        assert_eq!(
            without_comments("a{# {# é\n #} b #}\nc #} {"),
            "a\n\nc #} {"
        );
        assert_eq!(fragments("{# filter cached(\"x\") #}", false).len(), 1);
    }

    #[test]
    fn a_fragment_in_a_loop_without_a_key_is_told_from_all_others() {
        let of = |text: &str| {
            let found = fragments(text, true);
            found
                .iter()
                .map(|fragment| fragment.is_one_for_a_loop)
                .collect::<Vec<_>>()
        };
        let around = |inner: &str| format!("for x {{%- for x in y %}}{inner}{{%~ endfor -%}}");
        let keyless = "{% filter cached(\"a\", tags = [x]) %}";
        assert_eq!(of(&around(keyless)), [true]);
        assert_eq!(of(&around("{% filter cached((\"a\",)) %}")), [true]);
        assert_eq!(of(&around("{% filter cached( ( \"a\" , x)) %}")), [false]);
        assert_eq!(of(&around("{% filter cached((name, x)) %}")), [false]);
        let behind = format!("{}{keyless}", around(""));
        assert_eq!(of(&behind), [false]);
        assert_eq!(of(&around(&behind)), [true]);
        assert_eq!(
            of("{# {% for #} for {% forget %}{% filter cached(\"a\") %}"),
            [false]
        );
    }
}
