//! What `template-cache` decides, over the boundary.

#![forbid(unsafe_code)]

use std::time::Duration;

use dogpile_plugin_api::testing::host;
use dogpile_plugin_api::{
    Decision, Error, ErrorKind, Expiration, TemplateCacheInstance, TemplateEntry, TemplatePart,
    TemplateRequest, Text,
};
use dogpile_plugin_template_cache::plugin;
use serde_json::{Value, json};

fn open(arguments: &Value) -> Result<TemplateCacheInstance, Error> {
    plugin().open_template_cache("template-cache", &arguments.to_string(), host().raw())
}

fn page(template: &str) -> TemplateRequest<'_> {
    TemplateRequest::new("tera", template, (TemplatePart::Page, ""), "K")
}

fn fragment<'a>(template: &'a str, name: &'a str) -> TemplateRequest<'a> {
    TemplateRequest::new("tera", template, (TemplatePart::Fragment, name), "K")
}

fn cached<'a>(
    cache: &'a TemplateCacheInstance,
    request: &TemplateRequest<'a>,
) -> TemplateEntry<'a> {
    match cache.decide(request).unwrap() {
        Decision::Cache(entry) => {
            assert_eq!(cache.key_for(request).unwrap(), entry);
            entry
        }
        other => panic!("{request} is not cached: {other:?}"),
    }
}

fn after(seconds: u64) -> Expiration {
    Expiration::After(Duration::from_secs(seconds))
}

#[test]
fn without_arguments_everything_is_cached_as_it_asks_for() {
    let cache = open(&json!({})).unwrap();
    assert_eq!(
        cached(&cache, &page("a.html")),
        TemplateEntry::new("pages", "K")
    );
    let tags = ["x"].map(Text::from);
    let asked = fragment("a.html", "row").asks(Some("rows"), Some(Expiration::Never), &tags);
    let entry = cached(&cache, &asked);
    assert_eq!((&*entry.region, &*entry.tags[0]), ("rows", "x"));
    assert_eq!(entry.expiration_time, Some(Expiration::Never));
    assert!(!cache.observes());
    assert!(open(&json!({ "log": true })).unwrap().observes());
}

#[test]
fn defaults_are_for_what_names_none() {
    let cache =
        open(&json!({ "region": "r", "expiration_time": "5m", "key_prefix": "p:" })).unwrap();
    let entry = cached(&cache, &page("a.html"));
    assert_eq!(
        (&*entry.region, &*entry.key, entry.expiration_time),
        ("r", "p:K", Some(after(300)))
    );
    let second = Some(after(1));
    let asked = cached(&cache, &page("a.html").asks(Some("own"), second, &[]));
    assert_eq!(
        (&*asked.region, asked.expiration_time),
        ("own", Some(after(1)))
    );
}

#[test]
fn the_first_rule_that_matches_decides() {
    let cache = open(&json!({ "rules": [
        { "template": "admin/**", "decision": "bypass" },
        { "fragment": "row*", "region": "rows", "expiration_time": 60, "tags": ["t", "x"] },
        { "template": "shop/*.html", "part": "page", "decision": "refresh" },
        { "fragment": "*", "region": "never reached by rows" },
    ] }))
    .unwrap();
    for template in ["admin/a.html", "admin/b/c.html"] {
        assert_eq!(cache.decide(&page(template)).unwrap(), Decision::Bypass);
        let row = fragment(template, "row");
        assert_eq!(cache.decide(&row).unwrap(), Decision::Bypass);
    }
    let tags = ["x", "y"].map(Text::from);
    let second = Some(after(1));
    let asked = fragment("a.html", "rows").asks(Some("own"), second, &tags);
    let row = cached(&cache, &asked);
    assert_eq!(
        (&*row.region, row.expiration_time),
        ("rows", Some(after(60)))
    );
    assert_eq!(row.tags, ["x", "y", "t"]);

    let refreshed = cache.decide(&page("shop/a.html")).unwrap();
    assert!(matches!(refreshed, Decision::Refresh(_)), "{refreshed:?}");
    // `*` stays in its folder, and a rule with `fragment` is not about pages.
    let deeper = cached(&cache, &page("shop/a/b.html"));
    assert_eq!(deeper.region, "pages");
    let other = cached(&cache, &fragment("shop/a.html", "x"));
    assert_eq!(other.region, "never reached by rows");
}

#[test]
fn wrong_arguments_are_refused_with_their_place() {
    for (arguments, place, says) in [
        (
            json!({ "rules": [{ "template": "a[" }] }),
            "rules[0].template",
            "is no glob",
        ),
        (
            json!({ "expiration_time": "soon" }),
            "expiration_time",
            "is no time",
        ),
        (
            json!({ "rules": [{ "decision": "maybe" }] }),
            "rules[0].decision",
            "refresh",
        ),
        (
            json!({ "rules": [{ "frgment": "x" }] }),
            "rules[0].frgment",
            "",
        ),
        (json!({ "timeout": 5 }), "timeout", ""),
    ] {
        let error = open(&arguments).err().expect("it is refused");
        assert_eq!(error.kind(), ErrorKind::Arguments);
        assert_eq!(error.place(), Some(place), "{error}");
        assert!(error.message().contains(says), "{error}");
    }
}
