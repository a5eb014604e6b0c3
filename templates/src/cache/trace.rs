use std::cell::RefCell;
use std::fmt;
use std::sync::Arc;

use dogpile_plugin_api::{TemplateOutcome, TemplatePart};

thread_local! {
    /// The traces that are open on this thread, the innermost last.
    static OPEN: RefCell<Vec<Trace>> = const { RefCell::new(Vec::new()) };
}

/// What came of the pages, blocks and fragments that were asked for while something was rendered.
///
/// A part that came from the cache was not rendered, so that nothing is told of the parts within it. As long as it is,
/// in memory, as there are different parts: a fragment in a loop is one, with a count.
///
/// ```
/// use dogpile_templates::{Template, TemplateOutcome, Trace, ViewCache};
///
/// let cache = ViewCache::off();
/// let orders = Template::new("mine", "orders.html", "digest of its source");
/// let row = |id| cache.fragment(&orders, "row").key(&id).get_or_create(|| Ok::<_, std::fmt::Error>(String::new()));
/// let (rows, trace) = Trace::of(|| (1..=3).map(row).collect::<Result<Vec<_>, _>>());
/// assert_eq!(trace.to_string(), "orders.html: fragment \"row\": 3 bypassed");
/// assert_eq!(trace.parts()[0].times(TemplateOutcome::Bypassed), 3);
/// rows?;
/// # Ok::<(), std::fmt::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Trace {
    parts: Vec<TracedPart>,
}

/// A page, block or fragment in a [`Trace`].
#[derive(Clone, Debug)]
pub struct TracedPart {
    template: Arc<str>,
    kind: TemplatePart,
    name: Box<str>,
    /// How often each outcome was, in the order in which they were first.
    outcomes: Vec<(TemplateOutcome, usize)>,
}

impl Trace {
    /// Does `work`, and tells of all parts that were asked for on this thread meanwhile. A trace within another is part
    /// of that too.
    pub fn of<T>(work: impl FnOnce() -> T) -> (T, Self) {
        let open = Open::begin();
        let done = work();
        (done, open.end())
    }

    /// The parts, in the order in which the first of each was done: those within others before them.
    pub fn parts(&self) -> &[TracedPart] {
        &self.parts
    }

    fn add(&mut self, (template, kind, name): Named<'_>, outcome: TemplateOutcome) {
        let known = self.parts.iter().position(|part| {
            part.kind == kind && *part.name == *name && *part.template == **template
        });
        let at = known.unwrap_or_else(|| {
            self.parts.push(TracedPart {
                template: Arc::clone(template),
                kind,
                name: name.into(),
                outcomes: Vec::new(),
            });
            self.parts.len() - 1
        });
        let outcomes = &mut self.parts[at].outcomes;
        match outcomes.iter_mut().find(|(known, _)| *known == outcome) {
            Some((_, times)) => *times += 1,
            None => outcomes.push((outcome, 1)),
        }
    }
}

impl TracedPart {
    /// The name of its template.
    pub fn template(&self) -> &str {
        &self.template
    }

    /// What of the template it is.
    pub fn kind(&self) -> TemplatePart {
        self.kind
    }

    /// The name of the block or fragment; empty for a page.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Each outcome that there was, with how often it was.
    pub fn outcomes(&self) -> &[(TemplateOutcome, usize)] {
        &self.outcomes
    }

    /// How often that was the outcome.
    pub fn times(&self, outcome: TemplateOutcome) -> usize {
        let found = self.outcomes.iter().find(|(known, _)| *known == outcome);
        found.map_or(0, |(_, times)| *times)
    }
}

/// For people: a line for each part.
impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, part) in self.parts.iter().enumerate() {
            let line = if index == 0 { "" } else { "\n" };
            write!(f, "{line}{part}")?;
        }
        Ok(())
    }
}

impl fmt::Display for TracedPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.template, self.kind.name())?;
        if !self.name.is_empty() {
            write!(f, " {:?}", self.name)?;
        }
        for (index, (outcome, times)) in self.outcomes.iter().enumerate() {
            let separator = if index == 0 { ": " } else { ", " };
            write!(f, "{separator}{times} {}", outcome.name())?;
        }
        Ok(())
    }
}

/// A part by its template, its kind and its name.
pub(super) type Named<'a> = (&'a Arc<str>, TemplatePart, &'a str);

/// Tells the traces that are open what came of a part.
pub(super) fn record(part: Named<'_>, outcome: TemplateOutcome) {
    OPEN.with_borrow_mut(|open| {
        for trace in open {
            trace.add(part, outcome);
        }
    });
}

/// A trace that is open, until it is dropped.
struct Open(());

impl Open {
    fn begin() -> Self {
        OPEN.with_borrow_mut(|open| open.push(Trace::default()));
        Self(())
    }

    fn end(self) -> Trace {
        let trace = OPEN.with_borrow_mut(|open| open.last_mut().map(std::mem::take));
        drop(self);
        trace.unwrap_or_default()
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        OPEN.with_borrow_mut(Vec::pop);
    }
}
