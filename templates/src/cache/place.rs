use std::borrow::Cow;
use std::ptr;

use dogpile::{Entry, Expiration, Region, Templates};
use dogpile_plugin_api::{Decision, TemplateEntry, TemplateRequest};

use super::Part;
use super::known::Standing;
use super::reused::Reused;

/// Where a part is stored. What the template cache said of it is copied as little as possible: this is done on every
/// hit, and the template cache is let go before anything is rendered.
pub(super) struct Place<'a> {
    pub(super) region: &'a Region,
    pub(super) key: Cow<'a, str>,
    expiration_time: Option<Expiration>,
    /// Those that the entry has beside the part's own.
    tags: Vec<String>,
    /// It is rendered, whatever is there.
    pub(super) anew: bool,
}

impl<'a> Place<'a> {
    /// `key` is the one of the request.
    fn new(
        part: &'a Part<'_>,
        host: &Templates,
        key: &'a str,
        entry: TemplateEntry<'_>,
    ) -> dogpile::Result<Self> {
        Ok(Self {
            region: part.cache.region(host, &entry.region)?,
            key: match entry.key {
                Cow::Borrowed(same) if ptr::eq(same, key) => key.into(),
                other => other.into_owned().into(),
            },
            expiration_time: entry.expiration_time,
            tags: entry.tags.into_iter().map(Cow::into_owned).collect(),
            anew: false,
        })
    }

    /// Where a ruling has it; `key` is the whole one.
    fn ruled(
        part: &'a Part<'_>,
        host: &Templates,
        key: &'a str,
        standing: &Standing,
    ) -> dogpile::Result<Self> {
        Ok(Self {
            region: part.cache.region(host, &standing.region)?,
            key: key.into(),
            expiration_time: standing.expiration_time,
            tags: part.tags.iter().chain(&standing.tags).cloned().collect(),
            anew: standing.anew,
        })
    }

    /// The call for what is there.
    pub(super) fn entry(&self) -> Entry<'_> {
        let entry = self.region.entry(&*self.key);
        match self.expiration_time {
            Some(time) => entry.expiration_time(time),
            None => entry,
        }
    }

    /// The tags of what is stored there.
    pub(super) fn tags(&self, part: &Part<'_>) -> Vec<String> {
        self.tags.iter().cloned().chain(part.own_tags()).collect()
    }
}

/// What is done with a part.
pub(super) enum Decided<'a> {
    At(Place<'a>),
    Bypassed,
    /// There is no template cache.
    ByNobody,
}

impl Part<'_> {
    /// What is done with it. `key` takes the text of its key.
    ///
    /// Of a template cache that ignores keys it is asked once: what it says is remembered with the part.
    pub(super) fn decided<'p>(
        &'p self,
        host: &Templates,
        key: &'p mut Reused<String>,
    ) -> dogpile::Result<Decided<'p>> {
        let known = self.known();
        let asks = known.zip(host.decider());
        let ruling = asks.and_then(|(known, decider)| known.ruling(decider, self));
        if let Some(ruling) = ruling {
            let Some(standing) = &ruling.standing else {
                return Ok(Decided::Bypassed);
            };
            self.write_key(&standing.prefix, known, key);
            return Place::ruled(self, host, key, standing).map(Decided::At);
        }
        self.write_key("", known, key);
        let key = &***key;
        // What is remembered must not depend on the tags of this call: whoever ignores keys is not told of them.
        let (told, untold) = match asks {
            Some(_) => (&[][..], &*self.tags),
            None => (&*self.tags, &[][..]),
        };
        let at = |entry: TemplateEntry<'_>, anew| {
            let mut place = Place::new(self, host, key, entry)?;
            place.tags.extend_from_slice(untold);
            Ok(Decided::At(Place { anew, ..place }))
        };
        self.with_request(key, told, |request| {
            let decided = host.decide(request, |decision| {
                if let Some((known, decider)) = asks {
                    known.rule(decider, self, key, &decision);
                }
                match decision {
                    Decision::Cache(entry) => at(entry, false),
                    Decision::Refresh(entry) => at(entry, true),
                    _ => Ok(Decided::Bypassed),
                }
            });
            match decided? {
                Some(decided) => decided,
                None => match self.by_default(request) {
                    Some(entry) => at(entry, false),
                    None => Ok(Decided::ByNobody),
                },
            }
        })
    }

    /// Where it is, or would be; `None` if there is no template cache. `key` takes the text of its key.
    pub(super) fn found<'p>(
        &'p self,
        host: &Templates,
        key: &'p mut Reused<String>,
    ) -> dogpile::Result<Option<Place<'p>>> {
        *key = self.own_key();
        let key = &***key;
        self.with_request(key, &self.tags, |request| {
            let at = |entry: TemplateEntry<'_>| Place::new(self, host, key, entry);
            let found = host.key_for(request, at)?;
            found
                .or_else(|| self.by_default(request).map(at))
                .transpose()
        })
    }

    fn by_default<'r>(&self, request: &TemplateRequest<'r>) -> Option<TemplateEntry<'r>>
    where
        Self: 'r,
    {
        let region = self.default_region?;
        Some(TemplateEntry::asked(request, region))
    }
}
