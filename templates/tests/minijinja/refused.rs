//! What is wrong with a template is told with its name and line; what is wrong with the cache costs no page.

use std::panic::{AssertUnwindSafe, catch_unwind};

use dogpile::Host;
use dogpile_templates::{JinjaViews, ViewCache};
use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, context};

use crate::logged::logged;
use crate::support::{Fixture, contains};

#[test]
fn a_wrong_call_is_an_error_of_its_line_that_tells_what_would_be_right() {
    for (source, says) in [
        (
            "{% call cached('x', expiration_tme=60) %}{% endcall %}",
            "no argument `expiration_tme`: did you mean `expiration_time`?",
        ),
        (
            "{% call cached('x', key=1) %}{% endcall %}",
            "no argument `key`: write its parts after the name",
        ),
        (
            "{% call cached('x', colour=1) %}{% endcall %}",
            "no argument `colour`: it has expiration_time, region, tags, when",
        ),
        ("{% call cached() %}{% endcall %}", "has no name"),
        ("{% call cached('') %}{% endcall %}", "has no name"),
        ("{% call cached(5) %}{% endcall %}", "has no name"),
        ("{{ cached('x') }}", "has no body"),
    ] {
        let fixture = Fixture::new(&[("a.html", &format!("\n\n{source}"))]);
        let error = fixture.error("a.html").to_string();
        contains(&error, &[says, "(in a.html:3)"]);
    }
}

/// The page is rendered both times, its fragment not from the cache, and one line says where and why.
#[track_caller]
fn is_told(templates: &[(&str, &str)], place: &str, says: &str) {
    let fixture = Fixture::new(templates);
    let log = logged(|| {
        for _ in 0..2 {
            let text = fixture.render("a.html", context! { part => "in.html" });
            assert_eq!(text.trim(), "text", "{says}");
        }
    });
    let place = format!("{place}: fragment \"x\" is rendered without the cache: ");
    contains(&log, &[&place, says]);
    assert_eq!(log.lines().count(), 1, "{log}");
    let region = fixture.host.region("pages").unwrap();
    assert_eq!(region.stats().hits, 0, "{says}");
}

#[test]
fn a_call_that_asks_for_what_cannot_be_is_told_once_with_template_and_line() {
    for (arguments, says) in [
        (
            "item",
            "a part of its key is missing: it is undefined, or none",
        ),
        (
            "none",
            "a part of its key is missing: it is undefined, or none",
        ),
        (
            "[item]",
            "a part of its key is missing: in a list or map of it something is undefined",
        ),
        (
            "{'a': [item]}",
            "a part of its key is missing: in a list or map of it something is undefined",
        ),
        (
            "['<b>'|safe]",
            "in a list or map of its key is a text that is not escaped",
        ),
        ("[count]", "in a list or map of its key is a plain object"),
        (
            "count",
            "a part of its key cannot be one: it is a plain object",
        ),
        ("region='rows'", "rows"),
        ("region=5", "its region is no text, but number"),
        (
            "expiration_time='soon'",
            "soon is no expiration time. Write seconds",
        ),
        ("expiration_time=[]", "[] is no expiration time"),
        ("tags='t'", "its tags are no list"),
        ("tags=[none]", "one of its tags is undefined, or none"),
    ] {
        let source = format!("\n{{% call cached('x', {arguments}) %}}text{{% endcall %}}");
        is_told(&[("a.html", &source)], "a.html:2", says);
    }
}

#[test]
fn a_fragment_that_its_name_does_not_tell_from_others_is_told() {
    let source = "{% set name = 'x' %}{% call cached(name) %}text{% endcall %}";
    is_told(
        &[("a.html", source)],
        "a.html",
        "its name is not written out",
    );
    let source = "{% if false %}{% call cached('x') %}no{% endcall %}\n{% endif %}\
                  {% call cached('x') %}text{% endcall %}";
    let says = "line 2 has another fragment of that name";
    is_told(&[("a.html", source)], "a.html:1", says);
    let source = "{% set c = cached %}{% if false %}{% call c('x') %}no{% endcall %}{% endif %}\
                  {% call cached('x') %}text{% endcall %}";
    let says = "line 1 uses `cached` in another way than";
    is_told(&[("a.html", source)], "a.html:1", says);
}

#[test]
fn a_fragment_whose_source_does_not_show_what_it_is_made_of_is_told() {
    let own = "{% call cached('x') %}\n{% include part %}{% endcall %}";
    let says = "a.html:2: `include` names its template by an expression";
    is_told(&[("a.html", own), ("in.html", "text")], "a.html:1", says);
    let own = "{% call cached('x') %}{% include 'mid.html' %}{% endcall %}";
    let says = "mid.html:1: `extends` names its template by an expression";
    is_told(
        &[
            ("a.html", own),
            ("mid.html", "{% extends part %}"),
            ("in.html", "text"),
        ],
        "a.html:1",
        says,
    );
    let own = "\n{% import part as ui %}{% call cached('x') %}text{% endcall %}";
    let says = "a.html:2: `import` names its template by an expression";
    is_told(&[("a.html", own), ("in.html", "")], "a.html:2", says);
    let own = "{% from 'ui.html' import star %}{% include 'in.html' %}";
    let star = "\n{% call cached('x') %}{{ star() }}{% include 'star.html' %}{% endcall %}";
    is_told(
        &[
            ("a.html", own),
            ("in.html", star),
            ("ui.html", "{% macro star() %}text{% endmacro %}"),
            // Its own is not theirs.
            ("star.html", "{% macro star() %}{% endmacro %}"),
        ],
        "in.html:2",
        "the macro `star` is another template's",
    );
}

#[test]
fn a_fragment_that_uses_blocks_is_told_and_shows_each_page_its_own() {
    let block = "{% if false %}{% block title %}text{% endblock %}{% endif %}";
    let base = format!("{{% call cached('x') %}}\n{{{{ self.title() }}}}{{% endcall %}}{block}");
    let child = "{% extends 'base.html' %}{% block title %}text{% endblock %}";
    let says = "line 2 uses `self`";
    is_told(
        &[("a.html", child), ("base.html", &base)],
        "base.html:1",
        says,
    );
    let by_macro = format!(
        "{{% macro title() %}}\n{{{{ self.title() }}}}{{% endmacro %}}{{% call cached('x') %}}{{{{ title() }}}}\
         {{% endcall %}}{block}"
    );
    let says = "a.html:2: a macro uses `self`";
    is_told(&[("a.html", &by_macro)], "a.html:2", says);
}

#[test]
fn a_page_whose_templates_do_not_show_is_rendered_and_told() {
    let mut fixture = Fixture::new(&[("a.html", "\n{% include part %}"), ("in.html", "1")]);
    let page = |fixture: &Fixture| {
        let page = fixture.views.page(&fixture.env, "a.html").cached();
        let page = page.render(|| context! { part => "in.html" }).unwrap();
        page.into_string()
    };
    let log = logged(|| assert_eq!(page(&fixture), "\n1"));
    contains(
        &log,
        &[
            "a.html: the page is rendered without the cache",
            "a.html:2: `include`",
        ],
    );
    fixture.write("in.html", "2");
    assert_eq!(page(&fixture), "\n2");
}

#[test]
fn a_template_from_a_string_and_line_statements_are_rendered_without_the_cache() {
    let mut fixture = Fixture::new(&[("a.html", "{% call cached('x') %}1{% endcall %}")]);
    assert_eq!(fixture.render("a.html", context! {}), "1");
    let log = logged(|| {
        let source = "{% call cached('x') %}2{% endcall %}";
        for name in ["a.html", "b.html"] {
            let name = name.to_owned();
            let text = fixture.env.render_named_str(&name, source, ()).unwrap();
            assert_eq!(text, "2");
        }
    });
    contains(
        &log,
        &["a.html: ", "b.html: ", "it is rendered from a string"],
    );
    let syntax = SyntaxConfig::builder().line_statement_prefix("##").build();
    fixture.env.set_syntax(syntax.unwrap());
    fixture.write("c.html", "## call cached('x')\n3\n## endcall\n");
    let log = logged(|| assert_eq!(fixture.render("c.html", context! {}), "3\n"));
    contains(&log, &["c.html: ", "its name is not written out"]);
    let page = fixture.views.page(&fixture.env, "c.html").cached();
    let log = logged(|| assert_eq!(&*page.render(|| ()).unwrap(), "3\n"));
    contains(&log, &["c.html:1: its environment has line statements"]);
}

#[test]
fn a_fragment_in_a_loop_without_a_key_is_told_when_its_template_is_first_seen() {
    let fixture = Fixture::new(&[(
        "a.html",
        "{% for i in [1, 2] %}\n{% call cached('row', region='pages') %}{{ i }}{% endcall %}\
         {% call cached('keyed', i) %}{% endcall %}{% endfor %}{% call cached('once') %}{% endcall %}",
    )]);
    let log = logged(|| {
        for _ in 0..2 {
            assert_eq!(fixture.render("a.html", context! {}), "\n1\n1");
        }
    });
    contains(
        &log,
        &["a.html:2: fragment \"row\" stands in a loop and has no key"],
    );
    assert_eq!(log.lines().count(), 1, "{log}");
}

#[test]
fn an_error_in_a_body_is_its_own_with_its_line_and_is_not_stored() {
    let fixture = Fixture::new(&[(
        "a.html",
        "{% call cached('outer') %}\n{% call cached('x') %}\n\n{{ 1|fail if bad }}{% endcall %}{% endcall %}",
    )]);
    let template = fixture.env.get_template("a.html").unwrap();
    for _ in 0..2 {
        let error = template.render(context! { bad => true }).unwrap_err();
        assert_eq!(error.detail(), Some("as told"));
        assert_eq!((error.name(), error.line()), (Some("a.html"), Some(4)));
    }
    let text = template.render(context! { bad => false }).unwrap();
    assert_eq!(text.trim(), "");
}

#[test]
fn a_panic_in_a_filter_goes_to_who_renders_and_the_next_one_renders() {
    let fixture = Fixture::new(&[(
        "a.html",
        "{% call cached('x') %}{{ 'a filter'|panic if bad }}text{% endcall %}",
    )]);
    let render = |bad| {
        catch_unwind(AssertUnwindSafe(|| {
            fixture.render("a.html", context! { bad })
        }))
    };
    for _ in 0..2 {
        let panic = render(true).unwrap_err();
        assert_eq!(panic.downcast_ref::<String>().unwrap(), "a filter");
    }
    assert_eq!(render(false).unwrap(), "text");
}

#[test]
fn a_fragment_that_renders_itself_is_named_with_its_line_and_ends_as_the_engine_says() {
    let fixture = Fixture::new(&[
        (
            "key.html",
            "{% macro tree(n) %}\n{% call cached('node', n) %}{{ tree(n + 1) }}{% endcall %}{% endmacro %}{{ tree(0) }}",
        ),
        (
            "same.html",
            "\n\n{% call cached('self') %}{% include 'same.html' %}{% endcall %}",
        ),
    ]);
    let error = fixture.error("key.html").to_string();
    contains(&error, &["recursion limit exceeded", "key.html:2"]);
    let log = logged(|| {
        let error = fixture.error("same.html").to_string();
        contains(&error, &["same.html:3"]);
    });
    contains(
        &log,
        &["same.html:3: fragment \"self\" is rendered without the cache"],
    );
}

#[test]
fn fragments_nest_as_deep_as_macros() {
    let fixture = Fixture::new(&[(
        "a.html",
        "{% macro tree(n) %}{% call cached('node', n) %}{{ n }} {{ tree(n - 1) if n }}{% endcall %}{% endmacro %}\
         {{ tree(40) }}",
    )]);
    let numbers: Vec<String> = (0..=40).rev().map(|n| n.to_string()).collect();
    for _ in 0..2 {
        let text = fixture.render("a.html", context! {});
        assert_eq!(text.trim(), numbers.join(" "));
    }
}

#[test]
fn without_a_template_cache_and_without_a_host_pages_are_rendered() {
    let host = Host::builder().build().unwrap();
    for cache in [ViewCache::new(&host), ViewCache::off()] {
        let views = JinjaViews::new(cache);
        let mut env = Environment::new();
        env.add_template("a.html", "{% call cached('x') %}{{ text }}{% endcall %}")
            .unwrap();
        views.add_to(&mut env);
        for text in ["1", "2"] {
            let page = views.page(&env, "a.html").cached();
            assert_eq!(&*page.render(|| context! { text }).unwrap(), text);
        }
    }
}

#[test]
fn a_fragment_that_is_not_there_is_told_with_those_that_are() {
    let fixture = Fixture::new(&[(
        "a.html",
        "{% call cached('b') %}{% endcall %}{% call cached('a') %}{% endcall %}",
    )]);
    let fragment = |template, name| {
        let fragment = fixture.views.fragment(&fixture.env, template, name);
        fragment.unwrap_err().to_string()
    };
    contains(
        &fragment("a.html", "c"),
        &["no fragment \"c\"", "[\"a\", \"b\"]"],
    );
    contains(&fragment("b.html", "c"), &["b.html"]);
}
