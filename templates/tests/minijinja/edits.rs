//! Edits: the next render is right, and what they do not concern stays in the cache.

use std::collections::HashMap;
use std::fs;
use std::sync::{Arc, Mutex};

use dogpile_templates::JinjaViews;
use minijinja::syntax::SyntaxConfig;
use minijinja::{context, path_loader};

use crate::logged::logged;
use crate::support::{Fixture, contains};

const TEMPLATES: &[(&str, &str)] = &[
    (
        "page.html",
        "{% extends 'base.html' %}{% block main %}{% call cached('one') %}{{ count() }}1{% include 'in.html' %}{% endcall %}\
         {% endblock %}",
    ),
    (
        "base.html",
        "<{% block main %}{% endblock %}{% include 'side.html' %}>",
    ),
    ("in.html", "in"),
    (
        "side.html",
        "{% from 'ui.html' import star %}{% call cached('two') %}{{ count() }}2{{ star() }}{% endcall %}",
    ),
    ("ui.html", "{% macro star() %}*{% endmacro %}"),
];

#[test]
fn an_edit_is_seen_by_the_next_render_and_runs_no_body_that_it_does_not_concern() {
    let mut fixture = Fixture::new(TEMPLATES);
    for (template, source, text, runs) in [
        ("page.html", TEMPLATES[0].1, "<1in2*>", 2),
        // The parent: no body is made of it.
        (
            "base.html",
            "({% block main %}{% endblock %}{% include 'side.html' %})",
            "(1in2*)",
            0,
        ),
        // An include: one body.
        ("in.html", "IN", "(1IN2*)", 1),
        // A macro: the other.
        ("ui.html", "{% macro star() %}+{% endmacro %}", "(1IN2+)", 1),
        // The template itself: its own body.
        (
            "page.html",
            "{% extends 'base.html' %}{% block main %}!{% call cached('one') %}{{ count() }}one{% endcall %}{% endblock %}",
            "(!one2+)",
            1,
        ),
        // Back to what it was: all of it is still there.
        ("page.html", TEMPLATES[0].1, "(1IN2+)", 0),
    ] {
        fixture.write(template, source);
        for runs in [runs, 0] {
            let page = fixture.views.page(&fixture.env, "page.html").cached();
            let page = page.render(|| ()).unwrap();
            assert_eq!(
                (&*page, fixture.ran()),
                (text, runs),
                "{template}: {source}"
            );
        }
    }
}

#[test]
fn templates_that_a_loader_gives_anew_are_seen() {
    let mut fixture = Fixture::new(&[]);
    let sources: HashMap<&str, &str> = TEMPLATES.iter().copied().collect();
    let sources = Arc::new(Mutex::new(sources));
    let read = Arc::clone(&sources);
    fixture
        .env
        .set_loader(move |name| Ok(read.lock().unwrap().get(name).map(ToString::to_string)));
    let page = |fixture: &Fixture| {
        let page = fixture.views.page(&fixture.env, "page.html").cached();
        (page.render(|| ()).unwrap().into_string(), fixture.ran())
    };
    assert_eq!(page(&fixture), ("<1in2*>".to_owned(), 2));
    sources.lock().unwrap().insert("in.html", "IN");
    // The engine has not seen it yet.
    assert_eq!(page(&fixture), ("<1in2*>".to_owned(), 0));
    fixture.env.clear_templates();
    assert_eq!(page(&fixture), ("<1IN2*>".to_owned(), 1));
    // Another environment, as minijinja-autoreload makes it, has the same texts.
    fixture.env = fixture.another_env();
    for (name, source) in &*sources.lock().unwrap() {
        fixture.write(name, source);
    }
    assert_eq!(page(&fixture), ("<1IN2*>".to_owned(), 0));
}

#[test]
fn files_that_the_engine_reloads_are_seen_and_one_that_vanishes_is_told() {
    let mut fixture = Fixture::new(&[]);
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, source: &str| fs::write(folder.path().join(name), source).unwrap();
    for (name, source) in TEMPLATES {
        write(name, source);
    }
    fixture.env.set_loader(path_loader(folder.path()));
    let page = || fixture.views.page(&fixture.env, "page.html").cached();
    let text = || page().render(|| ()).unwrap().into_string();
    assert_eq!((text(), fixture.ran()), ("<1in2*>".to_owned(), 2));
    // Of another length: the engine compares sizes and times.
    write("in.html", "inside");
    assert_eq!((text(), fixture.ran()), ("<1inside2*>".to_owned(), 1));
    assert_eq!((text(), fixture.ran()), ("<1inside2*>".to_owned(), 0));
    fs::remove_file(folder.path().join("in.html")).unwrap();
    let gone = page().render(|| ()).unwrap_err();
    contains(&gone.to_string(), &["in.html", "page.html:1"]);
    fs::remove_file(folder.path().join("page.html")).unwrap();
    let gone = page().render(|| ()).unwrap_err();
    contains(&gone.to_string(), &["page.html"]);
    write("page.html", "back");
    assert_eq!(text(), "back");
}

#[test]
fn what_may_be_missing_is_seen_when_it_comes_and_when_it_goes() {
    let mut fixture = Fixture::new(&[(
        "a.html",
        "{% call cached('x') %}{% include ['new.html', 'old.html'] ignore missing %}{% endcall %}",
    )]);
    let render = |fixture: &Fixture| fixture.render("a.html", context! {});
    assert_eq!(render(&fixture), "");
    fixture.write("old.html", "old");
    assert_eq!(render(&fixture), "old");
    fixture.write("new.html", "new");
    assert_eq!(render(&fixture), "new");
    fixture.env.remove_template("new.html");
    assert_eq!(render(&fixture), "old");
}

#[test]
fn a_template_edited_while_it_is_rendered_stores_nothing_under_the_new_digest() {
    let mut fixture = Fixture::new(&[]);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.html");
    let body = |text: &str| {
        format!("{{{{ edit(1) }}}}{{% call cached('x') %}}{{{{ edit(2) }}}}{text}{{% endcall %}}")
    };
    let edits = Arc::new(Mutex::new(HashMap::<u32, String>::new()));
    let todo = Arc::clone(&edits);
    let written = file.clone();
    fixture.env.add_function("edit", move |place: u32| {
        if let Some(source) = todo.lock().unwrap().remove(&place) {
            fs::write(&written, source).unwrap();
        }
        ""
    });
    fixture.env.set_loader(path_loader(folder.path()));
    fs::write(&file, body("1")).unwrap();
    let page = || {
        let page = fixture.views.page(&fixture.env, "a.html").cached();
        page.render(|| ()).unwrap().into_string()
    };
    // Before its fragment is looked up, and while it is rendered.
    for (place, old, new) in [(1, "1", "22"), (2, "22", "333")] {
        edits.lock().unwrap().insert(place, body(new));
        let log = logged(|| assert_eq!(page(), old));
        assert_eq!(log.contains("edited meanwhile"), place == 1, "{log}");
        assert_eq!(page(), new);
        // Nor under the old one.
        fs::write(&file, body(old)).unwrap();
        assert_eq!(page(), old);
        fs::write(&file, body(new)).unwrap();
        assert_eq!(page(), new);
        fixture
            .views
            .page(&fixture.env, "a.html")
            .invalidate()
            .unwrap();
        let fragment = fixture.views.fragment(&fixture.env, "a.html", "x").unwrap();
        fragment.part().invalidate().unwrap();
    }
}

#[test]
fn how_white_space_is_cut_is_part_of_what_a_text_is_made_of() {
    let fixture = Fixture::new(&[("a.html", "{% if true %}\ntext{% endif %}")]);
    let page = fixture.views.page(&fixture.env, "a.html").cached();
    assert_eq!(&*page.render(|| ()).unwrap(), "\ntext");
    let mut env = fixture.another_env();
    let trimmed = SyntaxConfig::builder().trim_blocks(true).build();
    env.set_syntax(trimmed.unwrap());
    env.add_template("a.html", "{% if true %}\ntext{% endif %}")
        .unwrap();
    let views = JinjaViews::new(fixture.views.cache().clone());
    let page = views.page(&env, "a.html").cached();
    assert_eq!(&*page.render(|| ()).unwrap(), "text");
}
