use std::fmt;
use std::time::Duration;

use abi_stable::StableAbi;
use abi_stable::std_types::RStr;

/// What came of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TemplateOutcome {
    /// A fresh text was there.
    Fresh,
    /// An expired one was served while somebody else renders.
    Stale,
    /// This caller rendered it.
    Created,
    /// This caller waited for another who rendered it.
    Waited,
    /// It was rendered without the cache, as was decided.
    Bypassed,
    /// It was rendered without the cache, because that failed.
    Failed,
}

impl TemplateOutcome {
    /// Its name, for people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Fresh => "fresh",
            Self::Stale => "stale",
            Self::Created => "created",
            Self::Waited => "waited",
            Self::Bypassed => "bypassed",
            Self::Failed => "failed",
        }
    }
}

/// What came of a request, and where it was looked for.
#[repr(C)]
#[derive(Clone, Copy, StableAbi)]
pub struct TemplateEvent<'a> {
    outcome: u8,
    region: RStr<'a>,
    key: RStr<'a>,
    nanoseconds: u64,
    reserved: [usize; 2],
}

impl<'a> TemplateEvent<'a> {
    /// `region` and `key` are empty where the cache was bypassed.
    pub fn new(outcome: TemplateOutcome, region: &'a str, key: &'a str, elapsed: Duration) -> Self {
        Self {
            outcome: outcome as u8,
            region: region.into(),
            key: key.into(),
            nanoseconds: u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX),
            reserved: [0; 2],
        }
    }

    /// What came of it.
    pub fn outcome(&self) -> TemplateOutcome {
        match self.outcome {
            0 => TemplateOutcome::Fresh,
            1 => TemplateOutcome::Stale,
            2 => TemplateOutcome::Created,
            3 => TemplateOutcome::Waited,
            4 => TemplateOutcome::Bypassed,
            _ => TemplateOutcome::Failed,
        }
    }

    /// The region, or nothing.
    pub fn region(&self) -> &'a str {
        self.region.as_str()
    }

    /// The key in it, or nothing.
    pub fn key(&self) -> &'a str {
        self.key.as_str()
    }

    /// How long the caller had to wait for the text.
    pub fn elapsed(&self) -> Duration {
        Duration::from_nanos(self.nanoseconds)
    }
}

impl fmt::Debug for TemplateEvent<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TemplateEvent")
            .field("outcome", &self.outcome())
            .field("region", &self.region())
            .field("key", &self.key())
            .field("elapsed", &self.elapsed())
            .finish_non_exhaustive()
    }
}

/// A template whose content is another now.
#[repr(C)]
#[derive(Clone, Copy, StableAbi)]
pub struct TemplateChange<'a> {
    engine: RStr<'a>,
    template: RStr<'a>,
    before: RStr<'a>,
    after: RStr<'a>,
    reserved: [usize; 2],
}

impl<'a> TemplateChange<'a> {
    /// The digests before and after; the latter is empty if the template is gone.
    pub fn new(engine: &'a str, template: &'a str, (before, after): (&'a str, &'a str)) -> Self {
        Self {
            engine: engine.into(),
            template: template.into(),
            before: before.into(),
            after: after.into(),
            reserved: [0; 2],
        }
    }

    /// The template engine.
    pub fn engine(&self) -> &'a str {
        self.engine.as_str()
    }

    /// The template's name.
    pub fn template(&self) -> &'a str {
        self.template.as_str()
    }

    /// The digest that it had.
    pub fn before(&self) -> &'a str {
        self.before.as_str()
    }

    /// The digest that it has; empty if the template is gone.
    pub fn after(&self) -> &'a str {
        self.after.as_str()
    }
}

impl fmt::Debug for TemplateChange<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TemplateChange")
            .field("engine", &self.engine())
            .field("template", &self.template())
            .field("before", &self.before())
            .field("after", &self.after())
            .finish_non_exhaustive()
    }
}
