//! How often a template cache is asked, and what holds of its answers.

use std::cell::{Cell, RefCell};

use dogpile::{Host, Invalidation, TemplatesConfig};
use dogpile_plugin_api::{
    Decision, HostContext, NoArguments, Result, TemplateCache, TemplateEntry, TemplateEvent,
    TemplateRequest,
};
use dogpile_templates::{Part, TemplateOutcome, ViewCache};

use crate::support::{builder, template, text};

thread_local! {
    static ASKED: Cell<usize> = const { Cell::new(0) };
    /// The keys of what was observed.
    static KEYS: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// How often it was asked since this was called last.
fn asked() -> usize {
    ASKED.replace(0)
}

/// Counts how often it is asked, and puts `p:` before a key; one that is not `FAITHFUL` puts something behind it.
struct Counting<const IGNORES: bool, const FAITHFUL: bool>;

impl<const IGNORES: bool, const FAITHFUL: bool> TemplateCache for Counting<IGNORES, FAITHFUL> {
    type Arguments = NoArguments;

    fn open(_: NoArguments, _: &HostContext) -> Result<Self> {
        Ok(Self)
    }

    fn key_for<'a>(&'a self, request: &TemplateRequest<'a>) -> Result<TemplateEntry<'a>> {
        ASKED.set(ASKED.get() + 1);
        let mut entry = TemplateEntry::asked(request, "pages");
        let end = if FAITHFUL { "" } else { ":p" };
        entry.key = format!("p:{}{end}", request.key()).into();
        if !entry.tags.contains(&"mine".into()) {
            entry.tags.push("mine".into());
        }
        Ok(entry)
    }

    fn ignores_keys(&self) -> bool {
        IGNORES
    }

    fn observes(&self) -> bool {
        true
    }

    fn observe(&self, _: &TemplateRequest<'_>, event: &TemplateEvent<'_>) -> Result<()> {
        KEYS.with_borrow_mut(|keys| keys.push(event.key().to_owned()));
        Ok(())
    }
}

fn cache<T: TemplateCache>() -> (Host, ViewCache) {
    let host = builder()
        .template_cache::<T>("counting")
        .templates(TemplatesConfig::new("counting"))
        .build()
        .unwrap();
    let cache = ViewCache::new(&host);
    (host, cache)
}

fn outcome(part: Part<'_>) -> TemplateOutcome {
    text(part, "text").outcome()
}

#[test]
fn who_ignores_keys_is_asked_once_and_for_each_thing_that_is_asked_for() {
    let (host, cache) = cache::<Counting<true, true>>();
    let page = template("a.html");
    for expected in [TemplateOutcome::Created, TemplateOutcome::Fresh] {
        for user in 0..5 {
            assert_eq!(outcome(cache.page(&page).key(&user)), expected);
        }
    }
    assert_eq!(asked(), 1);
    let keys = KEYS.take();
    assert!(
        keys.iter().all(|key| key.starts_with("p:4:mine6:a.html")),
        "{keys:?}"
    );
    assert_eq!((&keys[..5], keys[0] == keys[1]), (&keys[5..], false));

    let others = || {
        [
            cache.page(&page).region("other"),
            cache
                .page(&page)
                .expiration_time(std::time::Duration::from_secs(1)),
            cache.page(&page).escaping("none"),
            cache.page(&page).digest("another"),
            cache.block(&page, "row"),
            cache.fragment(&page, "row"),
            cache.fragment(&page, "rows"),
        ]
    };
    for runs in [7, 0] {
        for part in others() {
            outcome(part.key(&runs));
        }
        assert_eq!(asked(), runs);
    }

    // Tags are the part's own, and those of the decision.
    let pages = host.region("pages").unwrap();
    for tag in ["own", "mine"] {
        let part = || cache.page(&page).key(&tag).tags(["own"]);
        assert_eq!(outcome(part()), TemplateOutcome::Created);
        assert_eq!(outcome(part()), TemplateOutcome::Fresh);
        pages.invalidate_tags([tag], Invalidation::Hard).unwrap();
        assert_eq!(outcome(part()), TemplateOutcome::Created);
    }
    assert_eq!(asked(), 0);

    // Also where the first call had that tag itself.
    let row = |user| cache.fragment(&page, "tagged").key(&user);
    outcome(row(1).tags(["mine"]));
    outcome(row(2));
    assert_eq!((asked(), outcome(row(2))), (1, TemplateOutcome::Fresh));
    pages.invalidate_tags(["mine"], Invalidation::Hard).unwrap();
    assert_eq!(outcome(row(2)), TemplateOutcome::Created);
}

#[test]
fn who_does_not_or_has_keys_of_its_own_all_the_same_is_asked_each_time() {
    let (_host, cache_of_one) = cache::<Counting<false, true>>();
    let (_host, cache_of_other) = cache::<Counting<true, false>>();
    for (cache, end) in [(cache_of_one, ""), (cache_of_other, ":p")] {
        let page = template("a.html");
        for user in [1, 2, 1] {
            outcome(cache.page(&page).key(&user));
        }
        assert_eq!(asked(), 3);
        let keys = KEYS.take();
        assert_eq!((&keys[0], keys[0] == keys[1]), (&keys[2], false));
        assert!(keys.iter().all(|key| key.ends_with(end)), "{keys:?}");
    }
}

#[test]
fn of_one_template_with_two_hosts_each_decides_of_its_own() {
    let (_one, one) = cache::<Counting<true, true>>();
    let (_other, other) = cache::<Counting<true, true>>();
    let page = template("a.html");
    for runs in [1, 0] {
        outcome(one.page(&page));
        assert_eq!(asked(), runs);
        outcome(other.page(&page));
        assert_eq!(asked(), runs);
    }
}

#[test]
fn more_parts_than_are_remembered_have_the_keys_that_they_would_have() {
    let (_host, cache) = cache::<Counting<true, true>>();
    let names: Vec<String> = (0..200).map(|number| number.to_string()).collect();
    let (page, same) = (template("a.html"), template("a.html"));
    for name in &names {
        assert_eq!(
            outcome(cache.fragment(&page, name)),
            TemplateOutcome::Created
        );
    }
    for name in names.iter().rev() {
        assert_eq!(outcome(cache.fragment(&same, name)), TemplateOutcome::Fresh);
    }
}

/// Fragments whose name says so are made anew, or not kept; it puts nothing before a key.
struct Ruling;

impl TemplateCache for Ruling {
    type Arguments = NoArguments;

    fn open(_: NoArguments, _: &HostContext) -> Result<Self> {
        Ok(Self)
    }

    fn key_for<'a>(&'a self, request: &TemplateRequest<'a>) -> Result<TemplateEntry<'a>> {
        ASKED.set(ASKED.get() + 1);
        Ok(TemplateEntry::asked(request, "pages"))
    }

    fn decide<'a>(&'a self, request: &TemplateRequest<'a>) -> Result<Decision<'a>> {
        let entry = self.key_for(request)?;
        Ok(match request.name() {
            "anew" => Decision::Refresh(entry),
            "unkept" => Decision::Bypass,
            _ => Decision::Cache(entry),
        })
    }

    fn ignores_keys(&self) -> bool {
        true
    }
}

#[test]
fn what_was_decided_once_holds_whatever_it_was() {
    use TemplateOutcome::{Bypassed, Created, Fresh};
    let (_host, cache) = cache::<Ruling>();
    let page = template("a.html");
    for (name, first, then) in [
        ("kept", Created, Fresh),
        ("anew", Created, Created),
        ("unkept", Bypassed, Bypassed),
    ] {
        for expected in [first, then, then] {
            assert_eq!(outcome(cache.fragment(&page, name)), expected, "{name}");
        }
        assert_eq!(asked(), 1, "{name}");
    }
}
