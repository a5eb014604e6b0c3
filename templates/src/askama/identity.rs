use std::collections::HashMap;
use std::sync::{LazyLock, PoisonError, RwLock};

use dogpile::Expiration;
use dogpile_plugin_api::Scalar;

use super::CachedTemplate;
use super::parts::{Content, Contents, Fragment, Source};
use crate::cache::{Digester, Part, Template, ViewCache, ViewCacheError, expiration};

pub(super) const ENGINE: &str = "askama";

/// A template, all templates that its text may hold, and their fragments, as the cache tells them from others. Made
/// once for each type.
pub struct Identity {
    source: &'static Source,
    pub(super) page: Template,
    fragments: Vec<KnownFragment>,
    /// Itself first.
    contents: Vec<Content>,
}

/// A cached fragment of a template.
pub(super) struct KnownFragment {
    source: &'static Fragment,
    /// The file in which it is written, in the state of the whole template.
    template: Template,
}

impl KnownFragment {
    /// In the cache, with what of its call is written out.
    pub(super) fn part<'a>(&'static self, cache: &'a ViewCache, owner: &Identity) -> Part<'a> {
        let source = self.source;
        let mut part = cache.fragment(&self.template, source.name);
        part = part.line(source.line).escaping(owner.escaping());
        if let Some(region) = source.region {
            part = part.region(region);
        }
        if let Some(time) = source.expiration_time.and_then(written_expiration) {
            part = part.expiration_time(time);
        }
        part
    }
}

/// By type and digest: types in the bodies of functions can have one name.
type Known = HashMap<(&'static str, &'static str), &'static Identity>;

static KNOWN: LazyLock<RwLock<Known>> = LazyLock::new(RwLock::default);

/// Of a type.
pub fn of<T: CachedTemplate + ?Sized>() -> &'static Identity {
    let key = (T::type_name(), T::SOURCE.digest);
    let known = KNOWN.read().unwrap_or_else(PoisonError::into_inner);
    if let Some(identity) = known.get(&key) {
        return identity;
    }
    drop(known);
    let made = Identity::new::<T>();
    let mut known = KNOWN.write().unwrap_or_else(PoisonError::into_inner);
    known
        .entry(key)
        .or_insert_with(|| Box::leak(Box::new(made)))
}

impl Identity {
    fn new<T: CachedTemplate + ?Sized>() -> Self {
        let source = const { &T::SOURCE };
        let mut contents = Contents::default();
        contents.add::<T>();
        let contents = contents.found;
        let digest = digest(&contents);
        let template = |name: &'static str| Template::new(ENGINE, name, &*digest);
        let suspect = source
            .fragments
            .iter()
            .filter(|known| known.is_one_for_a_loop);
        for Fragment {
            template,
            name,
            line,
            ..
        } in suspect
        {
            tracing::warn!(
                target: "dogpile.templates",
                "{template}:{line}: fragment {name:?} stands in a loop and has no key: all rows are the same; write \
                 cached(({name:?}, item.id))"
            );
        }
        let fragments = source.fragments.iter().map(|fragment| KnownFragment {
            source: fragment,
            template: template(fragment.template),
        });
        Self {
            source,
            page: template(source.name),
            fragments: fragments.collect(),
            contents,
        }
    }

    /// How its text is escaped.
    pub(super) fn escaping(&self) -> &'static str {
        self.source.escaping
    }

    /// A fragment by its name.
    pub(super) fn fragment(&self, name: &str) -> Result<&KnownFragment, ViewCacheError> {
        let mut fragments = self.fragments.iter();
        let found = fragments.find(|fragment| fragment.source.name == name);
        found.ok_or_else(|| self.no_fragment(name))
    }

    /// Whether its digest is also one of another template, by that one's type and digest.
    pub(super) fn holds(&self, other: &Self) -> bool {
        let other = &other.contents[0];
        let is_it = |content: &Content| {
            (content.type_name, content.digest) == (other.type_name, other.digest)
        };
        self.contents.iter().any(is_it)
    }

    /// Which of the templates in it has rendered `body`, by the name of the body's type.
    pub(super) fn owner_of(&self, body: &str) -> Option<&'static Self> {
        let owner = self
            .contents
            .iter()
            .find(|content| is_within(body, content.type_name))?;
        Some((owner.identity)())
    }

    fn no_fragment(&self, name: &str) -> ViewCacheError {
        let names = self
            .source
            .fragments
            .iter()
            .map(|fragment| format!("{:?}", fragment.name));
        let names: Vec<String> = names.collect();
        let has = if names.is_empty() {
            "none".to_owned()
        } else {
            names.join(", ")
        };
        let page = self.page.name();
        ViewCacheError::NoFragment(format!(
            "{page}: there is no cached fragment {name:?}. It has {has}"
        ))
    }
}

fn written_expiration(text: &str) -> Option<Expiration> {
    let number = text.parse().map(Scalar::Number);
    expiration(&number.unwrap_or_else(|_| Scalar::Text(text.to_owned())))
}

/// Of all templates that a text may hold. The types' names are part of it: two templates may be written alike.
fn digest(contents: &[Content]) -> String {
    let mut digester = Digester::new(ENGINE);
    for content in contents {
        digester.item(1, content.type_name, content.digest.as_bytes());
    }
    digester.finish()
}

/// Whether the body of a filter, by the name of its type, stands in what askama makes of a template. The names of types
/// are not promised to be anything: where this no longer knows them, no harm is done, but fragments are kept for one
/// build only.
fn is_within(body: &str, template: &str) -> bool {
    body.match_indices(template).any(|(at, _)| {
        let (before, after) = (&body[..at], &body[at + template.len()..]);
        before.ends_with(" for ") && after.starts_with('>')
            || before.ends_with('<') && after.starts_with(" as ")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_of_all_templates_that_a_text_may_hold() {
        let content = |type_name, digest| Content {
            type_name,
            digest,
            identity: || panic!("it is not asked for"),
        };
        let of = |contents: &[(&'static str, &'static str)]| {
            let contents = contents.iter().map(|(name, digest)| content(name, digest));
            digest(&contents.collect::<Vec<_>>())
        };
        let page = of(&[("Page", "1"), ("Card", "1")]);
        assert_eq!(of(&[("Page", "1"), ("Card", "1")]), page);
        for other in [
            of(&[("Page", "1"), ("Card", "2")]),
            of(&[("Page", "2"), ("Card", "1")]),
            of(&[("Page", "1"), ("a::Card", "1")]),
            of(&[("Page", "1")]),
            of(&[("Page", "1C"), ("ard", "1")]),
        ] {
            assert_ne!(other, page);
        }
    }

    #[test]
    fn a_body_is_within_its_own_template_only() {
        for (body, template, expected) in [
            (
                "a::_::<impl askama::Template for a::A<'_>>::render::{{closure}}",
                "a::A<'_>",
                true,
            ),
            (
                "<a::A as askama::Template>::render::{{closure}}",
                "a::A",
                true,
            ),
            (
                "a::_::<impl askama::Template for a::A>::render::{{closure}}",
                "a::B",
                false,
            ),
            (
                "a::_::<impl askama::Template for a::AB>::render::{{closure}}",
                "a::A",
                false,
            ),
            (
                "a::_::<impl askama::Template for a::a::A>::render::{{closure}}",
                "a::A",
                false,
            ),
            (
                "a::_::<impl askama::Template for a::B<a::A>>::render::{{closure}}",
                "a::A",
                false,
            ),
            (
                "a::_::<impl askama::Template for a::B<a::A>>::render::{{closure}}",
                "a::B<a::A>",
                true,
            ),
        ] {
            assert_eq!(is_within(body, template), expected, "{body} in {template}");
        }
    }
}
