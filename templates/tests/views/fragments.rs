//! What stands between `{% cache … %}` and `{% endcache %}`.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use dogpile::Invalidation;
use dogpile_templates::Views;
use tera::{Context, Kwargs, State, context};

use crate::lined_up::{self, until_lined_up};
use crate::support::Fixture;

const ROWS: &str = "{% for p in items %}{% cache \"row\", key=p.id %}\
                    {{ count() }}[{{ p.id }} {{ p.name }}]{% endcache %}{% endfor %}";

fn items(names: &[&str]) -> Context {
    let items = names.iter().enumerate();
    let items = items.map(|(id, name)| serde_json::json!({ "id": id, "name": name }));
    context! { items => &items.collect::<Vec<_>>() }
}

#[test]
fn a_body_does_not_run_when_its_text_is_in_the_cache() {
    let fixture = Fixture::new(&[("a.html", ROWS)]);
    let first = fixture.render("a.html", &items(&["a", "b", "c"]));
    assert_eq!(first, "[0 a][1 b][2 c]");
    assert_eq!(fixture.ran(), 3);
    // Another one beside them, and an old one that has changed unnoticed.
    let second = fixture.render("a.html", &items(&["A", "b", "c", "d"]));
    assert_eq!(second, "[0 a][1 b][2 c][3 d]");
    assert_eq!(fixture.ran(), 1);
    let row = fixture.views.fragment("a.html", "row").unwrap();
    row.part().key(&0).invalidate().unwrap();
    assert_eq!(fixture.render("a.html", &items(&["A", "B"])), "[0 A][1 b]");
    row.part().invalidate_all(Invalidation::Hard).unwrap();
    assert_eq!(fixture.render("a.html", &items(&["A", "B"])), "[0 A][1 B]");
}

#[test]
fn a_loop_in_a_body_can_add_up_what_the_body_has_set() {
    let fixture = Fixture::new(&[(
        "a.html",
        "{% set sum = 5 %}{% cache \"x\" %}{% set sum = 0 %}{% for p in [1, 2] %}{% set_global sum = sum + p %}\
         {% endfor %}{{ sum }}{% endcache %} {{ sum }}",
    )]);
    for _ in 0..2 {
        assert_eq!(fixture.render("a.html", &Context::new()), "3 5");
    }
}

#[test]
fn a_missing_body_runs_once_for_64_threads() {
    let fixture = Fixture::new(&[(
        "a.html",
        "{% cache \"slow\" %}{{ count() }}text{% endcache %}",
    )]);
    let asking = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..64 {
            scope.spawn(|| {
                asking.fetch_add(1, Ordering::SeqCst);
                while asking.load(Ordering::SeqCst) < 64 {
                    thread::yield_now();
                }
                let page = fixture.render("a.html", &Context::new());
                assert_eq!(page, "text");
            });
        }
    });
    assert_eq!(fixture.ran(), 1);
}

#[test]
fn all_64_who_want_a_body_whose_filter_panics_have_that_as_its_error_with_its_line() {
    lined_up::watch();
    let fixture = Fixture::new(&[]);
    let runs = Arc::<AtomicUsize>::default();
    let counted = Arc::clone(&runs);
    fixture.write(
        "a.html",
        "\n{% cache \"panics\" %}{{ \"boom\" | panics }}{% endcache %}",
    );
    let cache = fixture.views.cache().clone();
    let views = Views::open(fixture.dir(), cache, move |tera| {
        let runs = Arc::clone(&counted);
        tera.register_filter(
            "panics",
            move |text: &str, _: Kwargs, _: &State| -> String {
                runs.fetch_add(1, Ordering::SeqCst);
                until_lined_up("panics", 63);
                panic!("{text}")
            },
        );
    })
    .unwrap();
    thread::scope(|scope| {
        for _ in 0..64 {
            scope.spawn(|| {
                let error = views.page("a.html").render(Context::new).unwrap_err();
                let error = error.to_string();
                assert!(error.contains("a.html:2:1: "), "{error}");
                assert!(error.contains("panicked: boom"), "{error}");
            });
        }
    });
    assert_eq!(runs.load(Ordering::SeqCst), 1);
}

#[test]
fn at_expiry_63_of_64_have_the_old_text_while_one_body_runs() {
    let fixture = Fixture::new(&[]);
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(
        folder.path().join("a.html"),
        "{% cache \"slow\" %}{{ gate() }}{{ text }}{% endcache %}",
    )
    .unwrap();
    let (entered, is_in) = mpsc::channel::<()>();
    let (open, opened) = mpsc::channel::<()>();
    let gate = Mutex::new(Some((entered, opened)));
    let runs = AtomicUsize::new(0);
    let shared: &'static (Mutex<_>, AtomicUsize) = Box::leak(Box::new((gate, runs)));
    let cache = fixture.views.cache().clone();
    let views = Views::open(folder.path(), cache, move |tera| {
        tera.register_function("gate", move |_: Kwargs, _: &State| {
            // The first run goes through, the second waits for all others to be served.
            if shared.1.fetch_add(1, Ordering::SeqCst) == 1 {
                let (entered, opened) = shared.0.lock().unwrap().take().unwrap();
                entered.send(()).unwrap();
                for _ in 1..64 {
                    opened.recv_timeout(Duration::from_mins(1)).unwrap();
                }
            }
            ""
        });
    })
    .unwrap();
    let render = |text: &str| {
        let page = views.page("a.html").render(|| context! { text => text });
        page.unwrap().into_string()
    };
    assert_eq!(render("old"), "old");
    fixture.clock.advance(Duration::from_secs(101));
    thread::scope(|scope| {
        let first = scope.spawn(|| render("new"));
        is_in.recv_timeout(Duration::from_mins(1)).unwrap();
        for _ in 1..64 {
            let (open, render) = (open.clone(), &render);
            scope.spawn(move || {
                assert_eq!(render("not rendered"), "old");
                open.send(()).unwrap();
            });
        }
        assert_eq!(first.join().unwrap(), "new");
    });
    assert_eq!(shared.1.load(Ordering::SeqCst), 2);
    assert_eq!(render("again"), "new");
}

#[test]
fn fragments_nest_and_an_outer_hit_runs_neither() {
    let fixture = Fixture::new(&[(
        "a.html",
        "{% cache \"outer\" %}{{ count() }}<{% for n in [1, 2] %}{% cache \"inner\", key=n %}{{ count() }}{{ n }}\
         {% endcache %}{% endfor %}>{% endcache %}",
    )]);
    assert_eq!(fixture.render("a.html", &Context::new()), "<12>");
    assert_eq!(fixture.ran(), 3);
    assert_eq!(fixture.render("a.html", &Context::new()), "<12>");
    assert_eq!(fixture.ran(), 0);
    // The outer one is made again of the inner ones that are there.
    let outer = fixture.views.fragment("a.html", "outer").unwrap();
    outer.part().invalidate().unwrap();
    let inner = fixture.views.fragment("a.html", "inner").unwrap();
    inner.part().key(&2).invalidate().unwrap();
    assert_eq!(fixture.render("a.html", &Context::new()), "<12>");
    assert_eq!(fixture.ran(), 2);
}

#[test]
fn a_body_sees_what_stands_at_its_place() {
    let fixture = Fixture::new(&[
        (
            "a.html",
            "{% extends \"base.html\" %}{% block main %}{% set a = 1 %}{% for x in [7] %}{% set b = x + 1 %}\
             {% cache \"all\", key=[x, b] %}{{ a }} {{ b }} {{ x }} {{ given }} {% include \"in.html\" %} \
             {% for y in [5, 6] %}{{ loop.index }}{% endfor %} {{<Box n={x}/>}}{% set a = 2 %}{% endcache %}\
             {{ a }}{% endfor %}{% endblock %}",
        ),
        ("base.html", "{% block main %}{% endblock %}"),
        ("in.html", "{{ b }}{{ only_here }}"),
        (
            "ui.html",
            "{% component Box(n) %}{% cache \"box\", key=n %}({{ n }}){% endcache %}{% endcomponent %}",
        ),
    ]);
    let context = context! { given => "g", only_here => "o" };
    for _ in 0..2 {
        assert_eq!(fixture.render("a.html", &context), "1 8 7 g 8o 12 (7)1");
    }
}

#[test]
fn a_text_is_escaped_once_and_as_the_page_is() {
    let fixture = Fixture::new(&[
        ("part.html", "{% cache \"x\" %}{{ name }}{% endcache %}"),
        ("page.html", "{% include \"part.html\" %}"),
        ("page.txt", "{% include \"part.html\" %}"),
    ]);
    let context = context! { name => "<b>" };
    for _ in 0..2 {
        assert_eq!(fixture.render("page.html", &context), "&lt;b&gt;");
        assert_eq!(fixture.render("page.txt", &context), "<b>");
    }
}

#[test]
fn white_space_is_cut_as_the_tags_say() {
    let fixture = Fixture::new(&[
        ("a.html", "1 {% cache \"x\" %} 2 {% endcache %} 3"),
        ("b.html", "1 {%- cache \"x\" -%} 2 {%- endcache -%} 3"),
        ("c.html", "1 {%- cache \"x\" %} 2 {%- endcache %} 3"),
        ("d.html", "1 {% cache \"x\" -%} 2 {% endcache -%} 3"),
    ]);
    for (page, expected) in [
        ("a.html", "1  2  3"),
        ("b.html", "123"),
        ("c.html", "1 2 3"),
        ("d.html", "1 2 3"),
    ] {
        for _ in 0..2 {
            let text = fixture.render(page, &Context::new());
            assert_eq!(text, expected, "{page}");
        }
    }
}

#[test]
fn a_tag_says_where_and_how_long_its_text_is_kept() {
    let fixture = Fixture::new(&[(
        "a.html",
        "{% cache \"x\", key=[k, \"b\"], expiration_time=\"10s\", region=\"other\", tags=[\"t\", tag], when=on %}\
         {{ count() }}{{ text }}{% endcache %}",
    )]);
    let context = |text: &str| context! { text => text, k => &1, tag => "u", on => &true };
    let render = |text: &str| fixture.render("a.html", &context(text));
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
    // By name, and without rendering first: its tag's region is known.
    let fragment = fixture.views.fragment("a.html", "x").unwrap();
    let part = || fragment.part().key(&1).key(&"b");
    assert_eq!(part().get().unwrap().as_deref(), Some("5"));
    part().set("set").unwrap();
    assert_eq!(render("6"), "set");
    part().invalidate().unwrap();
    assert_eq!(render("7"), "7");
    let off = context! { text => "8", k => &1, tag => "u", on => &false };
    assert_eq!(fixture.render("a.html", &off), "8");
    assert_eq!(render("9"), "7");
}

#[test]
fn keys_of_another_type_or_shape_are_other_keys() {
    let fixture = Fixture::new(&[
        (
            "one.html",
            "{% cache \"x\", key=k %}{{ text }}{% endcache %}",
        ),
        (
            "list.html",
            "{% cache \"x\", key=[a, b] %}{{ text }}{% endcache %}",
        ),
    ]);
    let mut seen = Vec::new();
    for (number, key) in [
        serde_json::json!(1),
        serde_json::json!("1"),
        serde_json::json!([1]),
        serde_json::json!(true),
        serde_json::json!({ "a": 1 }),
        serde_json::json!(""),
    ]
    .iter()
    .enumerate()
    {
        let text = number.to_string();
        let context = context! { k => key, text => &text };
        seen.push(fixture.render("one.html", &context) == text);
    }
    for (a, b) in [("1 2", "3"), ("1", "2 3"), ("", "1 2 3")] {
        let text = format!("{a}|{b}");
        let context = context! { a => a, b => b, text => &text };
        seen.push(fixture.render("list.html", &context) == text);
    }
    assert!(seen.iter().all(|own| *own), "{seen:?}");
}

#[test]
fn what_a_body_spreads_is_known_in_it() {
    let fixture = Fixture::new(&[(
        "a.html",
        "{% cache \"x\", key=a.id %}{{ [...a.list, 3] }}{{ {...b} | keys }}{% endcache %}",
    )]);
    let a = serde_json::json!({ "id": 1, "list": [1, 2] });
    let context = context! { a => &a, b => &serde_json::json!({ "k": 1 }) };
    assert_eq!(
        fixture.render("a.html", &context),
        "[1, 2, 3][&quot;k&quot;]"
    );
}

#[test]
fn a_key_may_be_a_map_within_a_map() {
    let fixture = Fixture::new(&[(
        "a.html",
        "{% cache \"x\", key={\"}}\": {\"a\": {\"}}\": k}}}, tags=[\"}}\"] %}{{ k }}{% endcache %}\n{{ k | fail }}",
    )]);
    for k in [1, 2] {
        let page = fixture.views.page("a.html");
        let error = page.render(|| context! { k => &k }).unwrap_err();
        assert_eq!((error.line(), error.column()), (Some(2), Some(8)));
    }
    fixture.write(
        "a.html",
        "{% cache \"x\", key={\"a\": {\"b\": k}} %}{{ k }}{% endcache %}",
    );
    for k in [1, 2, 1] {
        assert_eq!(
            fixture.render("a.html", &context! { k => &k }),
            k.to_string()
        );
    }
}

#[test]
fn a_text_that_needs_no_escaping_is_another_key_than_the_same_that_does() {
    let keys = ["k", "[k, 1]", "[[k]]", "{\"a\": k}"];
    for key in keys {
        let source = format!("{{% cache \"x\", key={key} %}}{{{{ k }}}}{{% endcache %}}");
        let fixture = Fixture::new(&[("a.html", &source)]);
        let mut safe = Context::new();
        safe.insert_value("k", tera::Value::safe_string("<b>"));
        for _ in 0..2 {
            assert_eq!(fixture.render("a.html", &safe), "<b>", "{key}");
            let text = fixture.render("a.html", &context! { k => "<b>" });
            assert_eq!(text, "&lt;b&gt;", "{key}");
        }
    }
}

#[test]
fn a_fragment_of_a_template_that_is_not_escaped_is_found_by_its_name() {
    let fixture = Fixture::new(&[("a.txt", "{% cache \"x\" %}{{ text }}{% endcache %}")]);
    let render = |text: &str| fixture.render("a.txt", &context! { text => text });
    assert_eq!(render("<1>"), "<1>");
    let fragment = fixture.views.fragment("a.txt", "x").unwrap();
    assert_eq!(&*fragment.part().get().unwrap().unwrap(), "<1>");
    fragment.part().invalidate().unwrap();
    assert_eq!(render("<2>"), "<2>");
}
