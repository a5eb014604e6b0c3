//! What stands between `{% filter cached(…) %}` and `{% endfilter %}`.

use std::time::Duration;

use askama::Template;
use dogpile::{Expiration, Invalidation};
use dogpile_templates::askama::{CachedTemplate, filters};

use crate::support::{Counter, Fixture, seconds};

struct Item {
    id: u32,
    name: &'static str,
}

#[derive(Template, CachedTemplate)]
#[template(
    source = r#"{% for item in items %}{% filter cached(("row", item.id)) %}{{ ran }}[{{ item.id }} {{ item.name }}]{% endfilter %}{% endfor %}"#,
    ext = "html"
)]
struct Rows<'a> {
    items: &'a [Item],
    ran: &'a Counter,
}

impl Fixture {
    fn rows(&self, names: &[&'static str], ran: &Counter) -> String {
        let items: Vec<Item> = (0..)
            .zip(names)
            .map(|(id, name)| Item { id, name })
            .collect();
        let page = Rows::view(&self.cache).render(|| Rows { items: &items, ran });
        page.unwrap().into_string()
    }
}

#[test]
fn a_body_does_not_run_when_its_text_is_in_the_cache() {
    let (fixture, ran) = (Fixture::new(), Counter::default());
    assert_eq!(fixture.rows(&["a", "b", "c"], &ran), "[0 a][1 b][2 c]");
    assert_eq!(ran.ran(), 3);
    // Another one beside them, and an old one that has changed unnoticed.
    assert_eq!(
        fixture.rows(&["A", "b", "c", "d"], &ran),
        "[0 a][1 b][2 c][3 d]"
    );
    assert_eq!(ran.ran(), 1);
    let row = Rows::fragment(&fixture.cache, "row").unwrap();
    row.clone().key(&0_u32).invalidate().unwrap();
    assert_eq!(fixture.rows(&["A", "B"], &ran), "[0 A][1 b]");
    row.clone().invalidate_all(Invalidation::Hard).unwrap();
    assert_eq!(fixture.rows(&["A", "B"], &ran), "[0 A][1 B]");
}

#[derive(Template, CachedTemplate)]
#[template(
    source = r#"{% filter cached("outer") %}{{ ran }}<{% for n in [1, 2] %}{% filter cached(("inner", n)) %}{{ ran }}{{ n }}{% endfilter %}{% endfor %}>{% endfilter %}"#,
    ext = "html"
)]
struct Nested<'a> {
    ran: &'a Counter,
}

#[test]
fn fragments_nest_and_an_outer_hit_runs_neither() {
    let (fixture, ran) = (Fixture::new(), Counter::default());
    let render = || {
        let page = Nested::view(&fixture.cache).render(|| Nested { ran: &ran });
        assert_eq!(&*page.unwrap(), "<12>");
        ran.ran()
    };
    assert_eq!(render(), 3);
    assert_eq!(render(), 0);
    // The outer one is made again of the inner ones that are there.
    let fragment = |name| Nested::fragment(&fixture.cache, name).unwrap();
    fragment("outer").invalidate().unwrap();
    fragment("inner").key(&2).invalidate().unwrap();
    assert_eq!(render(), 2);
}

#[derive(Template, CachedTemplate)]
#[template(
    source = r#"{% filter cached(("x", k, "b"), region = "other", expiration_time = "10s", tags = ["t", tag], when = on) %}{{ text }}{% endfilter %}"#,
    ext = "txt"
)]
struct Says<'a> {
    text: &'a str,
    k: u8,
    tag: &'a str,
    on: bool,
}

#[test]
fn a_call_says_where_and_how_long_its_text_is_kept() {
    let fixture = Fixture::new();
    let says = |text, on| Says {
        text,
        k: 1,
        tag: "u",
        on,
    };
    let render = |text: &'static str, on| {
        let page = Says::view(&fixture.cache).render(|| says(text, on));
        page.unwrap().into_string()
    };
    // By name before it was rendered: its call's region is known.
    let fragment = Says::fragment(&fixture.cache, "x").unwrap();
    let part = || fragment.clone().key(&1_u8).key(&"b");
    part().invalidate().unwrap();
    part().set("set").unwrap();
    assert_eq!(render("0", true), "set");
    part().invalidate().unwrap();

    assert_eq!(render("1", true), "1");
    assert_eq!(render("2", true), "1");
    fixture.clock.advance(seconds(11));
    assert_eq!(part().get().unwrap().as_deref(), None);
    assert_eq!(render("3", true), "3");
    assert_eq!((fixture.created("other"), fixture.created("pages")), (2, 0));
    let other = fixture.host.region("other").unwrap();
    for (tag, text) in [("t", "4"), ("u", "5")] {
        other.invalidate_tags([tag], Invalidation::Hard).unwrap();
        assert_eq!(render(text, true), text);
    }
    assert_eq!(render("6", false), "6");
    assert_eq!(render("7", true), "5");
    let error = Says::fragment(&fixture.cache, "y").err().unwrap();
    assert_eq!(
        error.to_string(),
        "Says: there is no cached fragment \"y\". It has \"x\""
    );
}

#[derive(Template, CachedTemplate)]
#[template(
    source = r#"{% filter cached("a", expiration_time = 60) %}{{ text }}{% endfilter %}{% filter cached("b", expiration_time = whole) %}{{ text }}{% endfilter %}{% filter cached("c", expiration_time = time) %}{{ text }}{% endfilter %}{% filter cached("d", expiration_time = fraction) %}{{ text }}{% endfilter %}{% filter cached("e", expiration_time = written) %}{{ text }}{% endfilter %}{% filter cached("f", expiration_time = never) %}{{ text }}{% endfilter %}{% filter cached("g", expiration_time = "never") %}{{ text }}{% endfilter %}"#,
    ext = "txt"
)]
struct Times<'a> {
    text: &'a str,
    whole: u64,
    time: Duration,
    fraction: f64,
    written: String,
    never: Expiration,
}

#[test]
fn an_expiration_time_is_seconds_a_text_or_a_duration() {
    let fixture = Fixture::new();
    let render = |text: &'static str| {
        let page = Times::view(&fixture.cache).render(|| Times {
            text,
            whole: 60,
            time: seconds(60),
            fraction: 59.5,
            written: "1m".to_owned(),
            never: Expiration::Never,
        });
        page.unwrap().into_string()
    };
    assert_eq!(render("1"), "1111111");
    fixture.clock.advance(seconds(59));
    assert_eq!(render("2"), "1111111");
    fixture.clock.advance(seconds(2));
    assert_eq!(render("3"), "3333311");
}

#[derive(Template, CachedTemplate)]
#[template(
    source = r#"{% filter cached("page's") %}{{ text }}{% endfilter %}{% filter cached("own", region = "pages", expiration_time = 50) %}{{ text }}{% endfilter %}"#,
    ext = "txt"
)]
struct Defaults<'a> {
    text: &'a str,
}

#[test]
fn a_page_says_what_holds_for_its_fragments_unless_they_say_otherwise() {
    let fixture = Fixture::new();
    let view = || {
        let view = Defaults::view(&fixture.cache);
        view.region("other").expiration_time(seconds(10))
    };
    let render = |text| view().render(|| Defaults { text }).unwrap().into_string();
    assert_eq!(render("1"), "11");
    assert_eq!((fixture.created("other"), fixture.created("pages")), (1, 1));
    fixture.clock.advance(seconds(11));
    assert_eq!(render("2"), "21");
    let off = view()
        .cache_enabled(false)
        .render(|| Defaults { text: "3" });
    assert_eq!(&*off.unwrap(), "33");
    assert_eq!(render("4"), "21");
}

#[derive(Template, CachedTemplate)]
#[template(
    source = r#"{% filter cached(("x", key)) %}{{ text }}{% endfilter %}"#,
    ext = "txt"
)]
struct Keyed<'a, K: serde::Serialize + 'a> {
    key: &'a K,
    text: &'a str,
}

#[derive(Template, CachedTemplate)]
#[template(
    source = r#"{% filter cached(("x", a, b)) %}{{ text }}{% endfilter %}"#,
    ext = "txt"
)]
struct Twice<'a> {
    a: &'a str,
    b: &'a str,
    text: &'a str,
}

#[test]
fn keys_of_another_type_or_shape_are_other_keys() {
    let fixture = Fixture::new();
    let json = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
    let keys = ["1", "\"1\"", "[1]", "true", "{\"a\":1}", "\"\"", "null"].map(json);
    for (number, key) in keys.iter().enumerate() {
        let text = number.to_string();
        let page = Keyed::view(&fixture.cache).render(|| Keyed { key, text: &text });
        assert_eq!(*page.unwrap(), text, "{key}");
    }
    for (a, b) in [("1 2", "3"), ("1", "2 3"), ("", "1 2 3"), ("1 2 3", "")] {
        let text = format!("{a}|{b}");
        let page = Twice::view(&fixture.cache).render(|| Twice { a, b, text: &text });
        assert_eq!(*page.unwrap(), text);
    }
}

#[derive(Template, CachedTemplate)]
#[template(
    source = r#"{% filter cached("x")|upper %}{{ ran }}{{ name }}{% endfilter %}"#,
    ext = "txt"
)]
struct Chained<'a> {
    ran: &'a Counter,
    name: &'a str,
}

#[test]
fn filters_after_it_are_applied_to_the_stored_text() {
    let (fixture, ran) = (Fixture::new(), Counter::default());
    for name in ["a", "b"] {
        let page = Chained::view(&fixture.cache).render(|| Chained { ran: &ran, name });
        assert_eq!(&*page.unwrap(), "A");
    }
    assert_eq!(ran.ran(), 1);
}
