//! Whatever fails in the cache, there is a page; whatever fails in a page is its own error, and not stored.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use std::{panic, thread};

use dogpile::{Host, OnBackendError, RegionConfig, TemplatesConfig};
use dogpile_plugin_api::{
    Backend, Error, HostContext, Key, NoArguments, Result, TemplateCache, TemplateEntry,
    TemplateEvent, TemplateRequest, Value,
};
use dogpile_templates::{TemplateOutcome, ViewCache, ViewCacheError};
use serde::Serialize;

use crate::logged::logged;
use crate::support::{Broken, builder, cache, template, text};

#[track_caller]
fn contains(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "no {part:?} in:\n{text}");
    }
}

#[test]
fn an_error_of_the_page_is_its_own_and_is_not_stored() {
    let (_host, cache) = cache();
    let page = template("a.html");
    for _ in 0..2 {
        let failed = cache.page(&page).get_or_create(|| Err(Broken("line 7")));
        assert_eq!(failed.unwrap_err(), Broken("line 7"));
    }
    assert_eq!(&*text(cache.page(&page), "mended"), "mended");
}

#[test]
fn a_panic_of_the_page_goes_to_who_rendered_it_and_the_next_one_renders() {
    let (_host, cache) = cache();
    let page = template("a.html");
    let panicked = panic::catch_unwind(panic::AssertUnwindSafe(|| {
        let rendered = cache.page(&page).get_or_create(|| panic!("a filter"));
        rendered.map_err(|error: Broken| error)
    }));
    assert!(panicked.is_err());
    assert_eq!(&*text(cache.page(&page), "rendered"), "rendered");
}

#[test]
fn a_region_that_is_not_there_is_named_once_with_template_and_line() {
    let (_host, cache) = cache();
    let page = template("shop/orders.html");
    let row = || cache.fragment(&page, "row").region("rows").line(12);
    let log = logged(|| {
        for _ in 0..3 {
            let rendered = text(row(), "rendered");
            assert_eq!(rendered.outcome(), TemplateOutcome::Failed);
        }
    });
    contains(
        &log,
        &[
            "shop/orders.html:12: fragment \"row\" is rendered without the cache: ",
            "no region `rows` is configured: there are `other`, `pages`",
        ],
    );
    assert_eq!(log.matches("WARN").count(), 1, "{log}");
    let error = row().invalidate().unwrap_err();
    assert_eq!(error.kind(), Some(dogpile::ErrorKind::NoSuchRegion));
}

#[test]
fn without_a_template_cache_everything_is_rendered_and_a_line_says_so_once() {
    let host = builder().build().unwrap();
    let cache = ViewCache::new(&host);
    let log = logged(|| {
        for name in ["a.html", "b.html"] {
            let rendered = text(cache.page(&template(name)), "rendered");
            assert_eq!(rendered.outcome(), TemplateOutcome::Bypassed);
        }
    });
    contains(&log, &["[templates]", "template-cache"]);
    assert_eq!(log.matches("WARN").count(), 1, "{log}");
    let error = cache.page(&template("a.html")).get().unwrap_err();
    assert!(matches!(error, ViewCacheError::NoTemplateCache), "{error}");
}

/// Fails at everything.
struct Down;

impl Backend for Down {
    type Arguments = NoArguments;

    fn open(_: NoArguments, _: &HostContext) -> Result<Self> {
        Ok(Self)
    }

    fn get(&self, _: &Key) -> Result<Option<Value>> {
        Err(Error::unavailable("down"))
    }

    fn set(&self, _: &Key, _: &Value) -> Result<()> {
        Err(Error::unavailable("down"))
    }

    fn delete(&self, _: &Key) -> Result<()> {
        Err(Error::unavailable("down"))
    }
}

/// Stores nothing.
struct Full;

impl Backend for Full {
    type Arguments = NoArguments;

    fn open(_: NoArguments, _: &HostContext) -> Result<Self> {
        Ok(Self)
    }

    fn get(&self, _: &Key) -> Result<Option<Value>> {
        Ok(None)
    }

    fn set(&self, _: &Key, _: &Value) -> Result<()> {
        Err(Error::unavailable("full"))
    }

    fn delete(&self, _: &Key) -> Result<()> {
        Err(Error::unavailable("full"))
    }
}

#[test]
fn a_backend_that_is_down_costs_no_page_whatever_the_region_says() {
    let fails = [OnBackendError::Bypass, OnBackendError::Fail];
    let cases = fails.map(|what| [("down", what), ("full", what)]);
    for (backend, what) in cases.into_iter().flatten() {
        let region = RegionConfig::on("pages", backend)
            .expiration_time(Duration::from_secs(9))
            .on_backend_error(what);
        let host = Host::builder()
            .backend::<Down>("down")
            .backend::<Full>("full")
            .plugin(dogpile_plugin_template_cache::plugin())
            .region(region)
            .templates(TemplatesConfig::new("template-cache"))
            .build()
            .unwrap();
        let cache = ViewCache::new(&host);
        // More often than it takes to open the breaker.
        for number in 0..8 {
            let page = template(&format!("{number}.html"));
            assert_eq!(&*text(cache.page(&page), "rendered"), "rendered");
        }
        assert!(cache.page(&template("a.html")).invalidate().is_err());
    }
}

/// Panics at whatever is called `panic.html`, and sees what comes of others.
struct Moody;

static SAW: AtomicBool = AtomicBool::new(false);

impl TemplateCache for Moody {
    type Arguments = NoArguments;

    fn open(_: NoArguments, _: &HostContext) -> Result<Self> {
        Ok(Self)
    }

    fn key_for<'a>(&'a self, request: &TemplateRequest<'a>) -> Result<TemplateEntry<'a>> {
        assert_ne!(request.template(), "panic.html", "not that one");
        if request.template() == "refused.html" {
            return Err(Error::unavailable("not today"));
        }
        Ok(TemplateEntry::asked(request, "pages"))
    }

    fn observes(&self) -> bool {
        true
    }

    fn observe(&self, request: &TemplateRequest<'_>, event: &TemplateEvent<'_>) -> Result<()> {
        if request.template() == "seen.html" {
            assert_eq!((event.region(), event.key()), ("pages", request.key()));
            SAW.store(true, Ordering::SeqCst);
        }
        Ok(())
    }
}

#[test]
fn a_template_cache_that_fails_or_panics_costs_no_page() {
    let host = builder()
        .template_cache::<Moody>("moody")
        .templates(TemplatesConfig::new("moody"))
        .build()
        .unwrap();
    let cache = ViewCache::new(&host);
    text(cache.page(&template("seen.html")), "seen");
    assert!(SAW.load(Ordering::SeqCst));
    let log = logged(|| {
        for name in ["refused.html", "panic.html", "after.html"] {
            let rendered = text(cache.page(&template(name)), "rendered");
            assert_eq!(&*rendered, "rendered");
            assert_eq!(rendered.outcome(), TemplateOutcome::Failed, "{name}");
        }
    });
    contains(
        &log,
        &[
            "refused.html: the page",
            "not today",
            "panic.html",
            "panicked in decide",
        ],
    );
    let again = template("again.html");
    while text(cache.page(&again), "again").outcome() == TemplateOutcome::Failed {
        thread::yield_now();
    }
    assert_eq!(
        text(cache.page(&again), "x").outcome(),
        TemplateOutcome::Fresh
    );
}

#[test]
fn a_key_that_cannot_be_one_is_told_and_the_page_rendered() {
    struct Unwritable;
    impl Serialize for Unwritable {
        fn serialize<S: serde::Serializer>(&self, _: S) -> std::result::Result<S::Ok, S::Error> {
            Err(serde::ser::Error::custom("not as a key"))
        }
    }
    let (_host, cache) = cache();
    let page = template("a.html");
    let part = || cache.fragment(&page, "x").line(3).key(&Unwritable);
    let log = logged(|| {
        assert_eq!(text(part(), "rendered").outcome(), TemplateOutcome::Failed);
    });
    contains(&log, &["a.html:3: fragment \"x\"", "not as a key"]);
    assert!(matches!(part().get(), Err(ViewCacheError::Key(_))));
}

#[test]
fn a_fragment_that_renders_itself_is_rendered_and_not_waited_for() {
    let (_host, cache) = cache();
    let page = template("a.html");
    let log = logged(|| {
        let outer = cache.fragment(&page, "x").get_or_create(|| {
            let inner = text(cache.fragment(&page, "x"), "inner");
            assert_eq!(inner.outcome(), TemplateOutcome::Failed);
            Ok::<_, Broken>(format!("outer {inner}"))
        });
        assert_eq!(&*outer.unwrap(), "outer inner");
    });
    contains(
        &log,
        &["a.html: fragment \"x\" is rendered without the cache"],
    );
}
