//! Whole pages.

use askama::Template;
use dogpile::Invalidation;
use dogpile_templates::TemplateOutcome;
use dogpile_templates::askama::{CachedTemplate, filters};

use crate::support::{Fixture, seconds};

#[derive(Template, CachedTemplate)]
#[template(
    source = r#"{{ text }}{% filter cached("x") %}{{ text }}{% endfilter %}{{ ("word"|value::<u32>)? }}"#,
    ext = "html"
)]
struct Page<'a> {
    text: &'a str,
}

/// Nothing is to be rendered.
fn none() -> Page<'static> {
    panic!("the page is made")
}

#[test]
fn a_page_is_made_and_rendered_only_if_it_is_not_in_the_cache() {
    let fixture = Fixture::new();
    let values: &(&str, &dyn std::any::Any) = &("word", &7_u32);
    let view = |user: u8| {
        Page::view(&fixture.cache)
            .values(values)
            .key(&user)
            .key(&"de")
    };
    let first = view(1).render(|| Page { text: "<1>" }).unwrap();
    assert_eq!(&*first, "&#60;1&#62;&#60;1&#62;7");
    assert_eq!(first.outcome(), TemplateOutcome::Created);
    let again = view(1).render(none).unwrap();
    assert_eq!(
        (&*again, again.outcome()),
        (&*first, TemplateOutcome::Fresh)
    );
    let other = view(2).render(|| Page { text: "2" }).unwrap();
    assert_eq!(&*other, "2&#60;1&#62;7");
    // Its name is known without a render, as is its region.
    view(2).invalidate().unwrap();
    assert_eq!(view(2).get().unwrap().as_deref(), None);
    view(2).set("set").unwrap();
    assert_eq!(&*view(2).render(none).unwrap(), "set");
    view(7).invalidate_all(Invalidation::Hard).unwrap();
    assert_eq!(view(1).get().unwrap().as_deref(), None);
}

#[test]
fn a_view_says_where_and_how_long_and_whether_it_is_kept() {
    let fixture = Fixture::new();
    let values: &(&str, &dyn std::any::Any) = &("word", &0_u32);
    let view = || {
        let view = Page::view(&fixture.cache).values(values).cached();
        view.region("other")
            .expiration_time(seconds(10))
            .tags(["t"])
    };
    let render = |text| view().render(|| Page { text }).unwrap().into_string();
    assert_eq!(render("1"), "110");
    assert_eq!((fixture.created("other"), fixture.created("pages")), (2, 0));
    assert_eq!(render("2"), "110");
    // The fragment in it has its own tags.
    let other = fixture.host.region("other").unwrap();
    other.invalidate_tags(["t"], Invalidation::Hard).unwrap();
    assert_eq!(render("3"), "310");
    fixture.clock.advance(seconds(11));
    assert_eq!(render("4"), "440");
    let rendered = view().when(false).render(|| Page { text: "5" }).unwrap();
    assert_eq!(
        (&*rendered, rendered.outcome()),
        ("540", TemplateOutcome::Bypassed)
    );
    let rendered = view().cache_enabled(false).render(|| Page { text: "6" });
    assert_eq!(&*rendered.unwrap(), "660");
    assert_eq!(render("7"), "440");
}
