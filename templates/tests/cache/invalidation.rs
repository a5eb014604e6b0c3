//! Texts by name: got, set, and invalidated, also before anything was rendered.

use dogpile::Invalidation;
use dogpile_templates::TemplateOutcome;

use crate::support::{cache, template, text};

#[test]
fn a_text_is_got_and_set_by_name() {
    let (_host, cache) = cache();
    let page = template("a.html");
    let row = || cache.fragment(&page, "row").key(&7);
    assert!(row().get().unwrap().is_none());
    row().set("set").unwrap();
    let got = row().get().unwrap().unwrap();
    assert_eq!((&*got, got.outcome()), ("set", TemplateOutcome::Fresh));
    assert_eq!(&*text(row(), "rendered"), "set");
    assert!(
        cache
            .fragment(&page, "row")
            .key(&8)
            .get()
            .unwrap()
            .is_none()
    );
}

#[test]
fn a_page_a_block_and_a_fragment_are_invalidated_each_by_itself() {
    let (_host, cache) = cache();
    let page = template("a.html");
    let parts = || {
        [
            cache.page(&page),
            cache.block(&page, "main"),
            cache.fragment(&page, "main"),
            cache.fragment(&page, "main").key(&1),
        ]
    };
    for at in 0..4 {
        for part in parts() {
            text(part, "old");
        }
        let part = parts().into_iter().nth(at).unwrap();
        part.invalidate().unwrap();
        for (other, part) in parts().into_iter().enumerate() {
            let expected = (other != at).then_some("old");
            assert_eq!(part.get().unwrap().as_deref(), expected, "{at}: {other}");
        }
    }
}

#[test]
fn what_was_never_rendered_here_is_invalidated_in_its_own_region() {
    let (host, cache) = cache();
    let page = template("a.html");
    // Another process, say, has rendered it.
    let elsewhere = dogpile_templates::ViewCache::new(&host);
    let row = |cache| -> dogpile_templates::Part<'_> {
        let cache: &dogpile_templates::ViewCache = cache;
        cache.fragment(&page, "row").region("other").key(&1)
    };
    text(row(&elsewhere), "old");
    row(&cache).invalidate().unwrap();
    assert_eq!(&*text(row(&elsewhere), "new"), "new");
    // And one that nobody has is no error.
    cache.page(&template("none.html")).invalidate().unwrap();
}

#[test]
fn all_keys_of_a_part_are_outdated_at_once_whatever_their_digest() {
    let (_host, cache) = cache();
    let page = template("a.html");
    let edited = dogpile_templates::Template::new("mine", "a.html", "another digest");
    let neighbour = template("a.html#row");
    let rows = [1, 2, 3].map(|id| cache.fragment(&page, "row").key(&id));
    let others = [
        cache.fragment(&page, "rows"),
        cache.block(&page, "row"),
        cache.page(&page),
        cache.page(&neighbour),
    ];
    let old = cache.fragment(&edited, "row").escaping("none");
    for part in rows.iter().chain(&others).chain([&old]) {
        text(part.clone(), "old");
    }
    let row = cache.fragment(&page, "row");
    row.invalidate_all(Invalidation::Hard).unwrap();
    for part in rows.iter().chain([&old]) {
        assert!(part.clone().get().unwrap().is_none(), "{part:?}");
    }
    for part in &others {
        assert!(part.clone().get().unwrap().is_some(), "{part:?}");
    }
    let page = cache.page(&page);
    page.invalidate_template(Invalidation::Hard).unwrap();
    let left = others.map(|part| part.get().unwrap().is_some());
    assert_eq!(left, [false, false, false, true]);
}

#[test]
fn tags_outdate_what_has_them() {
    let (host, cache) = cache();
    let page = template("a.html");
    let part = |name, tags: &[&str]| {
        text(
            cache.fragment(&page, name).tags(tags.iter().copied()),
            "old",
        );
    };
    part("one", &["prices"]);
    part("two", &["prices", "stock"]);
    part("three", &["stock"]);
    let pages = host.region("pages").unwrap();
    pages
        .invalidate_tags(["prices"], Invalidation::Hard)
        .unwrap();
    let left = ["one", "two", "three"].map(|name| {
        let got = cache.fragment(&page, name).get().unwrap();
        got.is_some()
    });
    assert_eq!(left, [false, false, true]);
}
