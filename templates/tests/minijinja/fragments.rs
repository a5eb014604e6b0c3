//! What stands between `{% call cached(…) %}` and `{% endcall %}`.

use std::time::Duration;

use dogpile::Invalidation;
use minijinja::{Value, context};

use crate::support::Fixture;

const ROWS: &str = "{% for p in items %}{% call cached('row', p.id) %}\
                    {{ count() }}[{{ p.id }} {{ p.name }}]{% endcall %}{% endfor %}";

fn items(names: &[&str]) -> Value {
    let items = names.iter().enumerate();
    let items = items.map(|(id, name)| context! { id, name => *name });
    context! { items => items.collect::<Vec<_>>() }
}

#[test]
fn a_body_does_not_run_when_its_text_is_in_the_cache() {
    let fixture = Fixture::new(&[("a.html", ROWS)]);
    let first = fixture.render("a.html", items(&["a", "b", "c"]));
    assert_eq!(first, "[0 a][1 b][2 c]");
    assert_eq!(fixture.ran(), 3);
    // Another one beside them, and an old one that has changed unnoticed.
    let second = fixture.render("a.html", items(&["A", "b", "c", "d"]));
    assert_eq!(second, "[0 a][1 b][2 c][3 d]");
    assert_eq!(fixture.ran(), 1);
    let row = || {
        fixture
            .views
            .fragment(&fixture.env, "a.html", "row")
            .unwrap()
    };
    row().part().key(&0).invalidate().unwrap();
    assert_eq!(fixture.render("a.html", items(&["A", "B"])), "[0 A][1 b]");
    row().part().invalidate_all(Invalidation::Hard).unwrap();
    assert_eq!(fixture.render("a.html", items(&["A", "B"])), "[0 A][1 B]");
}

#[test]
fn fragments_nest_and_an_outer_hit_runs_neither() {
    let fixture = Fixture::new(&[(
        "a.html",
        "{% call cached('outer') %}{{ count() }}<{% for n in [1, 2] %}{% call cached('inner', n) %}{{ count() }}{{ n }}\
         {% endcall %}{% endfor %}>{% endcall %}",
    )]);
    for ran in [3, 0] {
        assert_eq!(fixture.render("a.html", context! {}), "<12>");
        assert_eq!(fixture.ran(), ran);
    }
    // The outer one is made again of the inner ones that are there.
    let fragment = |name| fixture.views.fragment(&fixture.env, "a.html", name);
    fragment("outer").unwrap().part().invalidate().unwrap();
    let inner = fragment("inner").unwrap();
    inner.part().key(&2).invalidate().unwrap();
    assert_eq!(fixture.render("a.html", context! {}), "<12>");
    assert_eq!(fixture.ran(), 2);
}

#[test]
fn a_text_is_escaped_once_and_as_its_place_is() {
    let fixture = Fixture::new(&[
        (
            "a.html",
            "{% macro part(name) %}{% call cached('x') %}{{ name }}{% endcall %}{% endmacro %}\
             {{ part(name) }} {% autoescape false %}{{ part(name) }}{% endautoescape %}",
        ),
        ("a.txt", "{% call cached('x') %}{{ name }}{% endcall %}"),
    ]);
    for _ in 0..2 {
        let text = fixture.render("a.html", context! { name => "<b>" });
        assert_eq!(text, "&lt;b&gt; <b>");
        assert_eq!(fixture.render("a.txt", context! { name => "<b>" }), "<b>");
    }
}

#[test]
fn a_call_says_where_and_how_long_its_text_is_kept() {
    let fixture = Fixture::new(&[(
        "a.html",
        "{% call cached('x', k, 'b', expiration_time='10s', region='other', tags=['t', tag], when=on) %}\
         {{ count() }}{{ text }}{% endcall %}",
    )]);
    let context = |text: &str| context! { text, k => 1, tag => "u", on => true };
    let render = |text: &str| fixture.render("a.html", context(text));
    // By name, and without rendering first: its call's region is known.
    let fragment = fixture.views.fragment(&fixture.env, "a.html", "x").unwrap();
    let part = || fragment.part().key(&1).key(&"b");
    part().set("set").unwrap();
    assert_eq!(render("0"), "set");
    part().invalidate().unwrap();
    assert_eq!(render("1"), "1");
    assert_eq!(render("2"), "1");
    fixture.clock.advance(Duration::from_secs(11));
    assert_eq!(render("3"), "3");
    let other = fixture.host.region("other").unwrap();
    assert_eq!(other.stats().creations, 2);
    for (tag, text) in [("t", "4"), ("u", "5")] {
        other.invalidate_tags([tag], Invalidation::Hard).unwrap();
        assert_eq!(render(text), text);
    }
    assert_eq!(part().get().unwrap().as_deref(), Some("5"));
    let off = context! { text => "8", k => 1, tag => "u", on => false };
    assert_eq!(fixture.render("a.html", off), "8");
    assert_eq!(render("9"), "5");
    // The expiration time of the call holds for what is read by name, too.
    fixture.clock.advance(Duration::from_secs(11));
    assert!(part().get().unwrap().is_none());
}

#[test]
fn keys_of_another_type_or_shape_are_other_keys() {
    let fixture = Fixture::new(&[
        (
            "one.html",
            "{% call cached('x', k) %}{{ text }}{% endcall %}",
        ),
        (
            "two.html",
            "{% call cached('x', a, b) %}{{ text }}{% endcall %}",
        ),
    ]);
    let mut seen = Vec::new();
    for (number, key) in [
        Value::from(1),
        Value::from("1"),
        Value::from(vec![1]),
        Value::from(true),
        context! { a => 1 },
        Value::from(""),
        // What is not escaped is another text than the same that is.
        Value::from_safe_string("1".to_owned()),
        Value::from(vec!["1", "safe"]),
    ]
    .into_iter()
    .enumerate()
    {
        let text = number.to_string();
        seen.push(fixture.render("one.html", context! { k => key, text => &text }) == text);
    }
    for (a, b) in [("1 2", "3"), ("1", "2 3"), ("", "1 2 3"), ("1", "safe")] {
        let text = format!("{a}|{b}");
        seen.push(fixture.render("two.html", context! { a, b, text => &text }) == text);
    }
    assert!(seen.iter().all(|own| *own), "{seen:?}");
}

#[test]
fn two_templates_with_one_region_never_share_a_text() {
    let fixture = Fixture::new(&[
        ("a.html", "{% call cached('x', 1) %}of a{% endcall %}"),
        ("b.html", "{% call cached('x', 1) %}of b{% endcall %}"),
    ]);
    for _ in 0..2 {
        assert_eq!(fixture.render("a.html", context! {}), "of a");
        assert_eq!(fixture.render("b.html", context! {}), "of b");
    }
}

#[test]
fn what_a_filter_makes_of_a_body_is_stored_as_filtered() {
    let fixture = Fixture::new(&[(
        "a.html",
        "{% call cached('x') %}{% filter upper %}{{ count() }}text{% endfilter %}{% endcall %}",
    )]);
    for ran in [1, 0] {
        assert_eq!(fixture.render("a.html", context! {}), "TEXT");
        assert_eq!(fixture.ran(), ran);
    }
}

#[test]
fn a_fragment_of_a_template_that_is_not_escaped_is_found_by_its_name() {
    let fixture = Fixture::new(&[("a.txt", "{% call cached('x') %}{{ text }}{% endcall %}")]);
    let render = |text: &str| fixture.render("a.txt", context! { text });
    assert_eq!(render("<1>"), "<1>");
    let fragment = fixture.views.fragment(&fixture.env, "a.txt", "x").unwrap();
    assert_eq!(&*fragment.part().get().unwrap().unwrap(), "<1>");
    fragment.part().invalidate().unwrap();
    assert_eq!(render("<2>"), "<2>");
}
