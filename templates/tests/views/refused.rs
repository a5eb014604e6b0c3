//! What is wrong with a template is told with file, line and remedy; what is wrong with the cache costs no page.

use dogpile_templates::{ViewCache, Views};
use tera::{Context, context};

use crate::support::Fixture;

#[track_caller]
fn contains(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "no {part:?} in:\n{text}");
    }
}

#[test]
fn a_wrong_tag_is_told_with_its_place_and_what_would_be_right() {
    for (source, place, says) in [
        ("a\n {% cache %}{% endcache %}", ":2:2: ", "no name"),
        ("{% cache row %}{% endcache %}", ":1:1: ", "no name"),
        (
            "{% cache \"x\", ky=1 %}{% endcache %}",
            ":1:15: ",
            "no argument `ky`",
        ),
        (
            "{% cache \"x\", ky=1 %}{% endcache %}",
            ":1:15: ",
            "key, expiration_time, region, tags, when",
        ),
        (
            "{% cache \"x\", key=1, key=2 %}{% endcache %}",
            ":1:22: ",
            "given twice",
        ),
        (
            "{% cache \"x\", 5 %}{% endcache %}",
            ":1:15: ",
            "no argument of a cache tag",
        ),
        (
            "{% cache \"x\" key=5 %}{% endcache %}",
            ":1:14: ",
            "no comma",
        ),
        (
            "{% cache \"x\", expiration_time=\"soon\" %}{% endcache %}",
            ":1:31: ",
            "\"soon\" is no expiration time",
        ),
        ("\n\n{% cache \"x\" %}text", ":3:1: ", "has no end"),
        ("text{% endcache %}", ":1:5: ", "no cached body to end"),
        (
            "{% if a %}{% cache \"x\" %}{% endif %}{% endcache %}",
            ":1:26: ",
            "`endif` closes nothing",
        ),
        (
            "{% cache \"x\" %}{% if a %}{% endcache %}{% endif %}",
            ":1:26: ",
            "`if` in it is still open",
        ),
        (
            "{% cache \"x\" %}{% endcache %}\n{% cache \"x\" %}{% endcache %}",
            ":2:1: ",
            "another fragment \"x\"",
        ),
        (
            "{% for x in [1] %}{% cache \"x\", key=x %}\n{{ loop.index }}{% endcache %}{% endfor %}",
            ":2:4: ",
            "{% set number = loop.index %}",
        ),
        (
            "{% for x in [1] %}{% cache \"x\", key=x %}{% break %}{% endcache %}{% endfor %}",
            ":1:41: ",
            "no loop to leave",
        ),
        (
            "{% cache \"x\" %}{% block b %}{% endblock %}{% endcache %}",
            ":1:16: ",
            "within the block",
        ),
        (
            "{% cache \"x\" %}{% set_global a = 1 %}{% endcache %}",
            ":1:16: ",
            "before the cache tag",
        ),
        (
            "{% cache \"x\" %}{% for i in [1] %}{% set a = 1 %}{% set_global a = 1 %}{% endfor %}{% endcache %}",
            ":1:49: ",
            "in the body before the loop",
        ),
        (
            "{% cache \"x\" %}{% set a = 1 %}{% cache \"y\" %}{% set_global a = 1 %}{% endcache %}{% endcache %}",
            ":1:46: ",
            "before the cache tag",
        ),
        (
            "{% cache \"x\" %}{{ __tera_context }}{% endcache %}",
            ":1:19: ",
            "Name the variables",
        ),
        (
            "{% extends \"base.html\" %}{% block b %}{% cache \"x\" %}{{ super() }}{% endcache %}{% endblock %}",
            ":1:57: ",
            "super()",
        ),
        ("{{ cached(template=\"x\") }}", ":1:4: ", "write {% cache"),
    ] {
        let base = ("base.html", "{% block b %}{% endblock %}");
        let fixture = Fixture::new(&[("a.html", source), base]);
        let error = fixture.error("a.html");
        contains(&error, &[&format!("a.html{place}"), says, "^"]);
    }
}

#[test]
fn what_looks_like_a_wrong_tag_and_is_none_is_fine() {
    for (source, expected) in [
        ("{% raw %}{% cache %}{% endraw %}", "{% cache %}"),
        ("{# {% cache %} #}x", "x"),
        ("{% cache \"a b\", %}x{% endcache %}", "x"),
        ("{% cache 'say \"hi\"' %}x{% endcache %}", "x"),
        (
            "{% for x in [1, 2] %}{% cache \"x\", key=[x, loop.index] %}{{ x }}{% endcache %}{% endfor %}",
            "12",
        ),
        (
            "{% cache \"x\" %}{% for x in [1, 2, 3] %}{% if x == 2 %}{% break %}{% endif %}{{ loop.index }}{% endfor %}{% endcache %}",
            "1",
        ),
        (
            "{% cache \"x\", key={\"a\": [1, 2]}, when=1 == 1 %}x{% endcache %}",
            "x",
        ),
        (
            "{% set x = {\"loop\": 1} %}{% cache \"x\", key=x %}{{ x.loop }}{% endcache %}",
            "1",
        ),
    ] {
        let fixture = Fixture::new(&[("a.html", source)]);
        for _ in 0..2 {
            assert_eq!(
                fixture.render("a.html", &Context::new()),
                expected,
                "{source}"
            );
        }
        assert!(fixture.views.warnings().is_empty(), "{source}");
    }
}

#[test]
fn a_cached_body_in_a_loop_without_a_key_is_a_warning_at_load() {
    let fixture = Fixture::new(&[
        (
            "a.html",
            "{% include \"row.html\" %}\n{% for x in [1] %}{% cache \"x\" %}{{ x }}{% endcache %}{% endfor %}",
        ),
        ("row.html", "row"),
        ("b.html", "{% include \"a.html\" %}"),
    ]);
    assert!(fixture.views.check().is_empty());
    let warnings = fixture.views.warnings();
    // And one for the variable that its key would name.
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    contains(
        &warnings[0].to_string(),
        &[
            "a.html:2:19: ",
            "fragment \"x\" is in a loop and has no key",
            "key=item.id",
        ],
    );
}

#[test]
fn an_error_in_a_body_is_its_own_with_its_own_line_and_is_not_cached() {
    let source = "{{ a }}\n{% cache \"outer\",\n   key=1 -%}\n é {%- cache \"inner\" %}x\n  {{ bad | fail }}{% endcache %}{% endcache %}\n{{ b }}";
    let fixture = Fixture::new(&[("a.html", source)]);
    let page = |bad: bool| {
        let context = if bad {
            context! { a => &1, b => &2, bad => "x" }
        } else {
            context! { a => &1, b => &2 }
        };
        fixture.views.page("a.html").key(&1).render(|| context)
    };
    for _ in 0..2 {
        let error = page(true).unwrap_err().to_string();
        contains(&error, &["a.html:5:12: ", "as told", "{{ bad | fail }}"]);
    }
    // And one in the line of a tag, and one behind it.
    for (source, place) in [
        (
            "x\n{% cache \"x\", key=y | fail %}x{% endcache %}",
            ":2:23: ",
        ),
        ("{% cache \"x\" %}\n{% endcache %}{{ y | fail }}", ":2:22: "),
        ("{% cache \"x\" %}{{ 1 + }}{% endcache %}", ":1:"),
    ] {
        let fixture = Fixture::new(&[("a.html", source)]);
        let error = fixture.views.page("a.html").render(|| context! { y => &1 });
        contains(
            &error.unwrap_err().to_string(),
            &[&format!("a.html{place}")],
        );
    }
}

#[test]
fn a_panic_in_a_filter_is_an_error_of_the_page_and_the_next_one_is_rendered() {
    let fixture = Fixture::new(&[(
        "a.html",
        "{% cache \"x\" %}{% if on %}{{ \"boom\" | panic }}{% endif %}fine{% endcache %}",
    )]);
    let error = fixture
        .views
        .page("a.html")
        .render(|| context! { on => &true });
    contains(
        &error.unwrap_err().to_string(),
        &["a.html:1:1: ", "panicked: boom"],
    );
    assert_eq!(fixture.render("a.html", &context! { on => &false }), "fine");
}

#[test]
fn what_the_cache_cannot_do_costs_no_page() {
    for tag in [
        "{% cache \"x\", key=nobody.knows %}",
        "{% cache \"x\", key=[1, none] %}",
        "{% cache \"x\", key=[[nobody.knows]] %}",
        "{% cache \"x\", region=\"nowhere\" %}",
        "{% cache \"x\", region=5 %}",
        "{% cache \"x\", expiration_time=minus %}",
        "{% cache \"x\", tags=5 %}",
    ] {
        let source = format!("{tag}{{{{ count() }}}}x{{% endcache %}}");
        let fixture = Fixture::new(&[("a.html", &source)]);
        for _ in 0..2 {
            let nobody = std::collections::BTreeMap::<String, String>::new();
            let context = context! { nobody => &nobody, minus => &-1 };
            assert_eq!(fixture.render("a.html", &context), "x", "{tag}");
            assert_eq!(fixture.ran(), 1, "{tag}");
        }
    }
}

#[test]
fn fragments_that_lead_back_to_themselves_end() {
    let circle = Fixture::new(&[(
        "a.html",
        "{% cache \"x\" %}{% include \"a.html\" %}{% endcache %}",
    )]);
    contains(
        &circle.error("a.html"),
        &["a.html:1:27: ", "leads back to itself"],
    );
    let component = Fixture::new(&[(
        "a.html",
        "{% component Again(n) %}{% cache \"x\", key=n %}{{<Again n={n + 1}/>}}{% endcache %}{% endcomponent %}{{<Again n={1}/>}}",
    )]);
    contains(
        &component.error("a.html"),
        &["a.html:1:25: ", "more than 32 deep"],
    );
}

#[test]
fn a_region_that_the_host_does_not_have_is_told_before_any_render_with_its_place() {
    let fixture = Fixture::new(&[
        (
            "a.html",
            "{% cache \"fine\", region=\"other\" %}{% endcache %}\n\
             {% cache \"not yet known\", region=region %}{% endcache %}{% cache \"default\" %}{% endcache %}\n  \
             {% cache \"wrong\", region=\"nowhere\" %}{% include \"b.html\" %}{% endcache %}",
        ),
        (
            "b.html",
            "{% cache \"too\", region=\"elsewhere\" %}{% endcache %}",
        ),
    ]);
    let told = fixture.views.check();
    let told: Vec<String> = told.iter().map(ToString::to_string).collect();
    let [a, b] = &told[..] else {
        panic!("{told:?}");
    };
    let there_are = ["pages", "other", "configure the region"];
    contains(a, &["a.html:3:3: ", "`nowhere`"]);
    contains(b, &["b.html:1:1: ", "`elsewhere`"]);
    for told in [a, b] {
        contains(told, &there_are);
    }
    // A cache that has no host knows of no regions.
    let off = Views::open(fixture.dir(), ViewCache::off(), |_| {}).unwrap();
    assert!(off.check().is_empty());
}
