//! Where a text is kept and for how long, and when it is not.

use std::time::Duration;

use dogpile::TemplatesConfig;
use dogpile_templates::{TemplateOutcome, ViewCache};
use serde_json::json;

use crate::support::{builder, cache, template, text, timed_cache};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_page_says_what_holds_for_its_fragments_unless_they_say_otherwise() {
    let (host, cache, clock) = timed_cache();
    let page = template("a.html")
        .region("other")
        .expiration_time(10 * SECOND);
    text(cache.page(&page), "page");
    text(cache.fragment(&page, "by the page"), "fragment");
    let own = || {
        cache
            .fragment(&page, "own")
            .region("pages")
            .expiration_time(50 * SECOND)
    };
    text(own(), "own");
    let created = |region: &str| host.region(region).unwrap().stats().creations;
    assert_eq!((created("other"), created("pages")), (2, 1));
    clock.advance(11 * SECOND);
    // Too old for the page's time, not for its own.
    let renewed = text(cache.fragment(&page, "by the page"), "renewed");
    assert_eq!(&*renewed, "renewed");
    assert_eq!(&*text(own(), "renewed"), "own");
    assert_eq!(own().get().unwrap().as_deref(), Some("own"));
    clock.advance(40 * SECOND);
    assert_eq!(own().get().unwrap().as_deref(), None);
}

#[test]
fn the_cache_can_be_switched_off_as_a_whole_for_a_template_and_for_a_call() {
    let (host, cache) = cache();
    let page = template("a.html");
    text(cache.page(&page), "stored");
    let off = page.clone().cache_enabled(false);
    for part in [
        cache.page(&off),
        cache.fragment(&off, "x"),
        cache.page(&page).when(false),
        cache.page(&off).when(true),
    ] {
        let rendered = text(part, "rendered");
        assert_eq!(
            (&*rendered, rendered.outcome()),
            ("rendered", TemplateOutcome::Bypassed)
        );
    }
    cache.set_enabled(false);
    assert_eq!(&*text(cache.page(&page), "rendered"), "rendered");
    cache.set_enabled(true);
    assert_eq!(&*text(cache.page(&page), "rendered"), "stored");
    assert_eq!(host.region("pages").unwrap().stats().creations, 1);
    let none = ViewCache::off();
    assert_eq!(&*text(none.page(&page), "rendered"), "rendered");
}

#[test]
fn the_template_cache_decides() {
    let host = builder()
        .templates(TemplatesConfig::new("template-cache").argument(
            "rules",
            json!([
                { "template": "admin/*", "decision": "bypass" },
                { "template": "news/*", "decision": "refresh" },
                { "fragment": "row", "region": "other" },
            ]),
        ))
        .build()
        .unwrap();
    let cache = ViewCache::new(&host);
    for (name, expected) in [
        ("admin/a.html", TemplateOutcome::Bypassed),
        ("news/a.html", TemplateOutcome::Created),
        ("a.html", TemplateOutcome::Fresh),
    ] {
        let page = template(name);
        text(cache.page(&page), "1");
        let second = text(cache.page(&page), "2");
        assert_eq!(second.outcome(), expected, "{name}");
        let is_new = expected != TemplateOutcome::Fresh;
        assert_eq!(&*second == "2", is_new, "{name}");
    }
    let page = template("a.html");
    text(cache.fragment(&page, "row"), "row");
    assert_eq!(host.region("other").unwrap().stats().creations, 1);
}
