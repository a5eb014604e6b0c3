//! Whole pages, by `JinjaViews::page`.

use std::cell::Cell;
use std::time::Duration;

use dogpile::Invalidation;
use dogpile_templates::{TemplateOutcome, ViewCacheError};
use minijinja::context;

use crate::support::Fixture;

#[test]
fn a_page_and_its_context_are_made_only_on_a_miss() {
    let fixture = Fixture::new(&[("a.html", "{{ count() }}{{ text }}")]);
    let made = Cell::new(0);
    let page = |key: u32| {
        let page = fixture.views.page(&fixture.env, "a.html").key(&key);
        page.render(|| {
            made.set(made.get() + 1);
            context! { text => key }
        })
        .unwrap()
    };
    assert_eq!(
        (&*page(1), page(1).outcome()),
        ("1", TemplateOutcome::Fresh)
    );
    assert_eq!(&*page(2), "2");
    assert_eq!((made.get(), fixture.ran()), (2, 2));
}

#[test]
fn a_page_is_rendered_each_time_unless_it_is_to_be_kept() {
    let fixture = Fixture::new(&[("a.html", "{{ count() }}")]);
    let page = || fixture.views.page(&fixture.env, "a.html");
    for _ in 0..2 {
        page().render(|| ()).unwrap();
    }
    assert_eq!(fixture.ran(), 2);
    for _ in 0..2 {
        page().cached().render(|| ()).unwrap();
    }
    assert_eq!(fixture.ran(), 1);
}

#[test]
fn a_page_says_where_and_how_long_it_and_its_fragments_are_kept() {
    let fixture = Fixture::new(&[(
        "a.html",
        "{{ text }}{% call cached('x') %}{{ text }}{% endcall %}",
    )]);
    let page = || {
        let page = fixture.views.page(&fixture.env, "a.html").cached();
        let page = page.region("other").tags(["t"]);
        page.expiration_time(Duration::from_secs(10))
    };
    let render = |text: &str| page().render(|| context! { text }).unwrap().into_string();
    assert_eq!(render("1"), "11");
    let other = fixture.host.region("other").unwrap();
    assert_eq!(other.stats().creations, 2);
    assert_eq!(render("2"), "11");
    other.invalidate_tags(["t"], Invalidation::Hard).unwrap();
    assert_eq!(render("3"), "31");
    fixture.clock.advance(Duration::from_secs(11));
    assert_eq!(render("4"), "44");
    let off = page().cache_enabled(false);
    let off = off.render(|| context! { text => "5" }).unwrap();
    assert_eq!((&*off, off.outcome()), ("55", TemplateOutcome::Bypassed));
    assert_eq!(render("6"), "44");
}

#[test]
fn a_page_is_got_set_and_invalidated_by_name_before_it_is_rendered() {
    let fixture = Fixture::new(&[("a.txt", "{{ text }}")]);
    let page = || fixture.views.page(&fixture.env, "a.txt").key(&7);
    let render = |text: &str| page().render(|| context! { text }).unwrap().into_string();
    assert!(page().get().unwrap().is_none());
    page().set("set").unwrap();
    assert_eq!(render("1"), "set");
    assert_eq!(page().get().unwrap().as_deref(), Some("set"));
    page().invalidate().unwrap();
    assert_eq!(render("2"), "2");
    page().invalidate_all(Invalidation::Hard).unwrap();
    assert_eq!(render("3"), "3");
    let missing = fixture.views.page(&fixture.env, "b.html").invalidate();
    let missing = missing.unwrap_err();
    assert!(matches!(missing, ViewCacheError::MiniJinja(_)));
    assert!(missing.to_string().contains("b.html"), "{missing}");
}

#[test]
fn an_error_of_a_page_is_its_own_and_is_not_stored() {
    let fixture = Fixture::new(&[("a.html", "\n{% if bad %}{{ 1|fail }}{% endif %}text")]);
    let page = |bad: bool| {
        let page = fixture.views.page(&fixture.env, "a.html").cached();
        page.render(|| context! { bad })
    };
    for _ in 0..2 {
        let error = page(true).unwrap_err();
        assert_eq!(
            error.to_string(),
            "invalid operation: as told (in a.html:2)"
        );
    }
    assert_eq!(&*page(false).unwrap(), "\ntext");
}
