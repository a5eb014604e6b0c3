use super::Finding;
use crate::views::lexer::Token;
use crate::views::tags::Tag;

/// What is open at a place of a template, the innermost last.
#[derive(Default)]
pub(super) struct Nesting<'a>(Vec<Open<'a>>);

struct Open<'a> {
    /// `if`, `for`, `cache`.
    kind: &'a str,
    start: usize,
    /// Of a cached body, what is set in it outside of its loops.
    set: Vec<&'a str>,
}

/// What has an end that can be missed; a `set` has one only sometimes, and cannot be told from here.
const KINDS: [&str; 6] = ["if", "for", "filter", "block", "component", CACHE];

const CACHE: &str = "cache";

const MOVE: &str =
    "Close what was opened within the cached body before its {% endcache %}, and nothing else.";

impl<'a> Nesting<'a> {
    /// Whether a cached body is open.
    pub(super) fn is_cached(&self) -> bool {
        self.0.iter().any(|open| open.kind == CACHE)
    }

    /// Whether a loop is open, in the body or around it.
    pub(super) fn is_in_loop(&self) -> bool {
        self.0.iter().any(|open| open.kind == "for")
    }

    /// Whether the innermost loop, if there is one, is outside of the innermost cached body.
    fn has_left_its_loop(&self) -> bool {
        let inner = self.0.iter().rev();
        let mut inner = inner.filter(|open| matches!(open.kind, CACHE | "for"));
        inner.next().is_some_and(|open| open.kind == CACHE)
    }

    fn innermost_body(&mut self) -> Option<&mut Open<'a>> {
        self.0.iter_mut().rev().find(|open| open.kind == CACHE)
    }

    /// Whether the innermost cached body has set that before, for itself alone.
    fn is_own(&self, name: Option<&Token<'a>>) -> bool {
        let body = self.0.iter().rev().find(|open| open.kind == CACHE);
        body.is_some_and(|body| matches!(name, Some(Token::Name(name)) if body.set.contains(name)))
    }

    /// Looks at what a tag does that a cached body cannot, and then at what it opens or closes. Whether it is the end of
    /// the innermost cached body.
    pub(super) fn step(&mut self, tag: &Tag<'a>, findings: &mut Vec<Finding>) -> bool {
        self.look(tag, findings);
        let Some(keyword) = tag.keyword() else {
            return false;
        };
        if KINDS.contains(&keyword) {
            self.0.push(Open {
                kind: keyword,
                start: tag.start,
                set: Vec::new(),
            });
            return false;
        }
        if keyword == "set"
            && let Some(Token::Name(name)) = tag.token(1)
            && self.has_left_its_loop()
            && let Some(body) = self.innermost_body()
        {
            body.set.push(name);
        }
        let Some(kind) = keyword
            .strip_prefix("end")
            .filter(|kind| KINDS.contains(kind))
        else {
            return false;
        };
        let is_end = kind == CACHE;
        match self.0.last() {
            Some(open) if open.kind == kind => {
                self.0.pop();
                return is_end;
            }
            Some(open) if is_end && self.is_cached() => findings.push(Finding::new(
                tag.start,
                format!(
                    "here a cached body ends, but `{}` in it is still open",
                    open.kind
                ),
                MOVE,
            )),
            _ if is_end => findings.push(Finding::new(
                tag.start,
                "there is no cached body to end here".to_owned(),
                "Remove it, or write the {% cache \"name\" %} that it belongs to.",
            )),
            Some(open) if open.kind == CACHE => findings.push(Finding::new(
                tag.start,
                format!("`{keyword}` closes nothing that the cached body around it has opened"),
                MOVE,
            )),
            // The engine will say it.
            _ => {}
        }
        false
    }

    /// What is left open at the end of the template.
    pub(super) fn finish(&self, findings: &mut Vec<Finding>) {
        let open = self.0.iter().filter(|open| open.kind == CACHE);
        findings.extend(open.map(|open| {
            Finding::new(
                open.start,
                "this cache tag has no end".to_owned(),
                "Write {% endcache %} where the cached body ends.",
            )
        }));
    }

    fn look(&self, tag: &Tag<'a>, findings: &mut Vec<Finding>) {
        if !self.is_cached() {
            return;
        }
        let mut refuse = |at: usize, what: &str, remedy: &str| {
            let message = format!("{what} within a cached body");
            findings.push(Finding::new(at, message, remedy));
        };
        match tag.keyword() {
            Some("block") => refuse(
                tag.start,
                "there cannot be a block",
                "Write the cache tag within the block.",
            ),
            Some("extends" | "component") => refuse(
                tag.start,
                "there can be neither `extends` nor a component's definition",
                "Move it out of the body.",
            ),
            Some("set_global") if !self.is_own(tag.token(1)) => refuse(
                tag.start,
                "nothing can be set for what comes behind it",
                "The body does not run when its text is in the cache: set it before the cache tag. What is for the body \
                 alone is set in the body before the loop, by {% set … %}.",
            ),
            Some("break" | "continue") if self.has_left_its_loop() => refuse(
                tag.start,
                "there is no loop to leave",
                "Write it outside of the cached body.",
            ),
            _ => {}
        }
        for (index, (token, at)) in tag.tokens.iter().enumerate() {
            let before = index.checked_sub(1).and_then(|before| tag.token(before));
            let behind = tag.token(index + 1);
            match token {
                Token::Name("loop")
                    if before != Some(&Token::Other('.'))
                        && behind == Some(&Token::Other('.'))
                        && self.has_left_its_loop() =>
                {
                    refuse(
                        *at,
                        "`loop` of the loop around it is not known",
                        "Set a variable before the cache tag, use that, and name it in the key: \
                         {% set number = loop.index %}{% cache \"row\", key=[item.id, number] %}.",
                    );
                }
                Token::Name("super") if behind == Some(&Token::Other('(')) => refuse(
                    *at,
                    "the parent's block is not known",
                    "Call super() outside of the cached body.",
                ),
                Token::Name("__tera_context") => {
                    refuse(*at, "the whole context is not known", "Name the variables.");
                }
                _ => {}
            }
        }
    }
}
