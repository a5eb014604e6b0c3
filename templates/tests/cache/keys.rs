//! What has the same text, and what has not: each case is one in which Mako's plugin served the wrong one.

use dogpile_templates::{Template, TemplateOutcome};

use crate::support::{cache, template, text};

#[test]
fn two_templates_with_one_region_never_serve_each_others_page() {
    let (_host, cache) = cache();
    let (one, other) = (template("one.html"), template("other.html"));
    assert_eq!(&*text(cache.page(&one), "one"), "one");
    assert_eq!(&*text(cache.page(&other), "other"), "other");
    let again = text(cache.page(&one), "rendered again");
    assert_eq!((&*again, again.outcome()), ("one", TemplateOutcome::Fresh));
    // Nor do templates of two engines that have one name.
    let namesake = Template::new("other", "one.html", "digest");
    assert_eq!(&*text(cache.page(&namesake), "namesake"), "namesake");
}

#[test]
fn an_edited_template_is_not_served_old() {
    let (_host, cache) = cache();
    let edited = |digest: &str| Template::new("mine", "a.html", digest);
    assert_eq!(&*text(cache.page(&edited("1")), "old"), "old");
    assert_eq!(&*text(cache.page(&edited("2")), "new"), "new");
    // Who takes the edit back has the old text again.
    assert_eq!(&*text(cache.page(&edited("1")), "anew"), "old");
    // A fragment with a digest of its own does not care.
    let fragment = |digest, rendered| {
        let template = edited(digest);
        let part = cache.fragment(&template, "x").digest("own");
        text(part, rendered).into_string()
    };
    assert_eq!(fragment("1", "first"), "first");
    assert_eq!(fragment("2", "second"), "first");
}

#[test]
fn what_a_text_varies_by_is_in_its_key() {
    let (_host, cache) = cache();
    let template = template("a.html");
    let row = || cache.fragment(&template, "row");
    let parts = [
        row(),
        row().key(&""),
        row().key(&"").key(&""),
        row().key(&1),
        row().key(&"1"),
        row().key(&1.5),
        row().key(&true),
        row().key(&"true"),
        row().key(&1).key(&2),
        row().key(&(1, 2)),
        row().key(&12),
        row().key(&"1 2").key(&"3"),
        row().key(&"1").key(&"2 3"),
        row().key(&Some("1")),
        row().escaping("none"),
        cache.fragment(&template, "rows"),
        cache.block(&template, "row"),
        cache.page(&template),
    ];
    for (number, part) in parts.iter().enumerate() {
        let rendered = text(part.clone(), &number.to_string());
        assert_eq!(*rendered, number.to_string(), "{part:?}");
    }
    for (number, part) in parts.into_iter().enumerate() {
        assert_eq!(*text(part, "again"), number.to_string());
    }
}
