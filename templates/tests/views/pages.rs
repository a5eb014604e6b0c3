//! Whole pages.

use std::cell::Cell;
use std::time::Duration;

use dogpile::Invalidation;
use dogpile_templates::TemplateOutcome;
use tera::{Context, context};

use crate::support::Fixture;

const PAGE: &str = "{{ count() }}{{ user }}: {% cache \"part\" %}{{ count() }}part{% endcache %}";

#[test]
fn a_page_is_kept_by_its_key_and_its_context_is_made_only_on_a_miss() {
    let fixture = Fixture::new(&[("a.html", PAGE)]);
    let made = Cell::new(0);
    let page = |user: &str| {
        let view = fixture
            .views
            .page("a.html")
            .key(&user)
            .expiration_time(Duration::from_secs(10));
        view.render(|| {
            made.set(made.get() + 1);
            context! { user => user }
        })
        .unwrap()
    };
    assert_eq!(&*page("ann"), "ann: part");
    assert_eq!((made.get(), fixture.ran()), (1, 2));
    let again = page("ann");
    assert_eq!(
        (&*again, again.outcome()),
        ("ann: part", TemplateOutcome::Fresh)
    );
    assert_eq!((made.get(), fixture.ran()), (1, 0));
    // Another user's page is made of the part that is there.
    assert_eq!(&*page("bob"), "bob: part");
    assert_eq!((made.get(), fixture.ran()), (2, 1));
    fixture.clock.advance(Duration::from_secs(11));
    assert_eq!(page("ann").outcome(), TemplateOutcome::Created);
}

#[test]
fn a_page_without_a_key_is_rendered_each_time_unless_it_says_that_it_is_the_same_for_all() {
    let fixture = Fixture::new(&[("a.html", "{{ user }}")]);
    let render = |user: &str| {
        let page = fixture.views.page("a.html").region("pages");
        page.render(|| context! { user => user }).unwrap()
    };
    assert_eq!(&*render("ann"), "ann");
    assert_eq!(&*render("bob"), "bob");
    let cached = |user: &str| {
        let page = fixture.views.page("a.html").cached();
        page.render(|| context! { user => user }).unwrap()
    };
    assert_eq!(&*cached("ann"), "ann");
    assert_eq!(&*cached("bob"), "ann");
}

#[test]
fn a_page_is_got_set_and_invalidated_by_its_key() {
    let fixture = Fixture::new(&[("a.html", PAGE)]);
    let page = |user: &str| {
        fixture
            .views
            .page("a.html")
            .key(&user)
            .region("other")
            .tags(["users"])
    };
    assert!(page("ann").get().unwrap().is_none());
    page("ann").invalidate().unwrap();
    page("ann").set("set").unwrap();
    assert_eq!(&*page("ann").render(Context::new).unwrap(), "set");
    let render = |user: &str| page(user).render(|| context! { user => user }).unwrap();
    assert_eq!(&*render("bob"), "bob: part");
    page("ann").invalidate().unwrap();
    assert_eq!(&*render("ann"), "ann: part");
    page("").invalidate_all(Invalidation::Hard).unwrap();
    assert!(page("ann").get().unwrap().is_none());
    assert!(page("bob").get().unwrap().is_none());
    render("ann");
    let other = fixture.host.region("other").unwrap();
    other
        .invalidate_tags(["users"], Invalidation::Hard)
        .unwrap();
    assert!(page("ann").get().unwrap().is_none());
}

#[test]
fn what_a_page_says_holds_for_its_fragments() {
    let fixture = Fixture::new(&[(
        "a.html",
        "{% cache \"by the page\" %}{{ t }}{% endcache %} \
         {% cache \"own\", region=\"pages\", expiration_time=50 %}{{ t }}{% endcache %}",
    )]);
    let render = |text: &str| {
        let page = fixture.views.page("a.html").region("other");
        let page = page.expiration_time(Duration::from_secs(10));
        page.render(|| context! { t => text })
            .unwrap()
            .into_string()
    };
    assert_eq!(render("1"), "1 1");
    let created = |region: &str| fixture.host.region(region).unwrap().stats().creations;
    assert_eq!((created("other"), created("pages")), (1, 1));
    fixture.clock.advance(Duration::from_secs(11));
    assert_eq!(render("2"), "2 1");
    let off = fixture.views.page("a.html").cache_enabled(false);
    assert_eq!(&*off.render(|| context! { t => "3" }).unwrap(), "3 3");
    fixture.views.cache().set_enabled(false);
    assert_eq!(render("4"), "4 4");
}

#[test]
fn a_page_that_is_not_there_is_an_error_with_its_file() {
    let fixture = Fixture::new(&[("a.html", PAGE)]);
    let error = fixture.error("b.html");
    assert!(
        error.contains("b.html: there is no such template"),
        "{error}"
    );
    let error = fixture.views.page("b.html").get().unwrap_err();
    assert!(
        error.to_string().contains("there is no such template"),
        "{error}"
    );
    let error = fixture.views.fragment("a.html", "prat").unwrap_err();
    for part in ["no fragment \"prat\"", "It has \"part\""] {
        assert!(error.to_string().contains(part), "{error}");
    }
    // One that vanishes between two renders.
    fixture.render("a.html", &context! { user => "ann" });
    fixture.remove("a.html");
    assert!(
        fixture
            .error("a.html")
            .contains("there is no such template")
    );
}
