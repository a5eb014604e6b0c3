//! Texts of two templates are never one, whatever their fragments are called.

use std::fmt::Display;

use askama::Template;
use dogpile_templates::askama::{CachedTemplate, filters};

use crate::support::{Counter, Fixture};

const SOURCE_IS: &str = "text";

#[derive(Template, CachedTemplate)]
#[template(
    source = r#"{% filter cached(("x", 1)) %}one{% endfilter %}"#,
    ext = "html"
)]
struct One;

#[derive(Template, CachedTemplate)]
#[template(
    source = r#"{% filter cached(("x", 1)) %}two{% endfilter %}"#,
    ext = "html"
)]
struct Two;

/// Called as another, and written as it is, but for what its value is.
mod namesake {
    use super::{CachedTemplate, SOURCE_IS, Template, filters};

    pub(crate) fn text() -> &'static str {
        SOURCE_IS
    }

    #[derive(Template, CachedTemplate)]
    #[template(
        source = r#"{% filter cached("x") %}{{ self::text() }}{% endfilter %}"#,
        ext = "html"
    )]
    pub(crate) struct Calls;
}

fn text() -> &'static str {
    "another"
}

#[derive(Template, CachedTemplate)]
#[template(
    source = r#"{% filter cached("x") %}{{ self::text() }}{% endfilter %}"#,
    ext = "html"
)]
pub(crate) struct Calls;

#[derive(Template, CachedTemplate)]
#[template(
    source = r#"{% filter cached("x") %}{{ value }}{% endfilter %}"#,
    ext = "html"
)]
struct Generic<T: Display> {
    value: T,
}

#[test]
fn two_templates_with_one_fragment_name_and_key_have_a_text_each() {
    let fixture = Fixture::new();
    let cache = &fixture.cache;
    for _ in 0..2 {
        assert_eq!(&*One::view(cache).render(|| One).unwrap(), "one");
        assert_eq!(&*Two::view(cache).render(|| Two).unwrap(), "two");
        let namesake = namesake::Calls::view(cache).render(|| namesake::Calls);
        assert_eq!(&*namesake.unwrap(), "text");
        assert_eq!(&*Calls::view(cache).render(|| Calls).unwrap(), "another");
        let number = Generic::view(cache).render(|| Generic { value: 1_u8 });
        assert_eq!(&*number.unwrap(), "1");
        let text = Generic::view(cache).render(|| Generic { value: "t" });
        assert_eq!(&*text.unwrap(), "t");
    }
    assert_eq!(fixture.created("pages"), 6);
}

#[test]
fn two_templates_never_serve_each_others_page() {
    let fixture = Fixture::new();
    let cache = &fixture.cache;
    for _ in 0..2 {
        let number = Generic::view(cache)
            .cached()
            .render(|| Generic { value: 1_u8 });
        assert_eq!(&*number.unwrap(), "1");
        let text = Generic::view(cache)
            .cached()
            .render(|| Generic { value: "t" });
        assert_eq!(&*text.unwrap(), "t");
        let namesake = namesake::Calls::view(cache)
            .cached()
            .render(|| namesake::Calls);
        assert_eq!(&*namesake.unwrap(), "text");
        let other = Calls::view(cache).cached().render(|| Calls);
        assert_eq!(&*other.unwrap(), "another");
    }
}

/// A template that derives nothing of ours, in one that does; with two fragments of one name, which only the derive
/// could refuse.
#[derive(Template)]
#[template(
    source = r#"{% filter cached("x") %}{{ ran }}1{% endfilter %}{% filter cached("x") %}{{ ran }}2{% endfilter %}{% for name in ["x", "y"] %}{% filter cached(name) %}{{ ran }}{{ name }}{% endfilter %}{% endfor %}"#,
    ext = "html"
)]
struct Plain<'a> {
    ran: &'a Counter,
}

#[derive(Template, CachedTemplate)]
#[template(
    source = r#"{% filter cached(("x", 1)) %}{{ ran }}3{% endfilter %}{{ plain|safe }}"#,
    ext = "html"
)]
struct Around<'a> {
    ran: &'a Counter,
    plain: Plain<'a>,
}

#[test]
fn what_no_derive_knows_is_told_apart_by_where_it_stands_in_the_program() {
    let (fixture, ran) = (Fixture::new(), Counter::default());
    for expected in [5, 0] {
        let page = Around::view(&fixture.cache).render(|| Around {
            ran: &ran,
            plain: Plain { ran: &ran },
        });
        assert_eq!(&*page.unwrap(), "312xy");
        assert_eq!(ran.ran(), expected);
    }
}

#[test]
fn templates_in_one_function_that_have_one_name_have_a_text_each() {
    let fixture = Fixture::new();
    for _ in 0..2 {
        {
            #[derive(Template, CachedTemplate)]
            #[template(source = r#"{% filter cached("x") %}1{% endfilter %}"#, ext = "html")]
            struct Local;
            assert_eq!(&*Local::view(&fixture.cache).render(|| Local).unwrap(), "1");
        }
        {
            #[derive(Template, CachedTemplate)]
            #[template(source = r#"{% filter cached("x") %}2{% endfilter %}"#, ext = "html")]
            struct Local;
            assert_eq!(&*Local::view(&fixture.cache).render(|| Local).unwrap(), "2");
        }
    }
}

#[derive(Template, CachedTemplate)]
#[template(path = "shop/part.html")]
struct Html<'a> {
    name: &'a str,
}

#[derive(Template, CachedTemplate)]
#[template(path = "shop/part.html", escape = "none")]
struct Text<'a> {
    name: &'a str,
}

#[test]
fn a_text_is_escaped_once_and_as_its_template_is() {
    let fixture = Fixture::new();
    let name = "<b>";
    for _ in 0..2 {
        let html = Html::view(&fixture.cache).render(|| Html { name });
        assert_eq!(&*html.unwrap(), "&#60;b&#62;");
        let text = Text::view(&fixture.cache).render(|| Text { name });
        assert_eq!(&*text.unwrap(), "<b>");
    }
}
