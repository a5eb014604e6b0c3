//! Edits: the next render is right, and what they do not concern stays in the cache.

use std::collections::HashMap;
use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use dogpile::{Host, RegionConfig, TemplatesConfig};
use dogpile_plugin_api::{
    HostContext, NoArguments, Result, TemplateCache, TemplateChange, TemplateEntry, TemplateRequest,
};
use dogpile_templates::{JinjaViews, ViewCache};
use minijinja::syntax::SyntaxConfig;
use minijinja::{AutoEscape, Environment, context, path_loader};

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
fn what_is_included_after_it_was_edited_is_not_stored_for_what_was_there_before() {
    let mut fixture = Fixture::new(&[]);
    let folder = tempfile::tempdir().unwrap();
    let part = folder.path().join("in.html");
    let edits = Arc::new(AtomicBool::new(true));
    let (written, todo) = (part.clone(), Arc::clone(&edits));
    fixture.env.add_function("edit", move || {
        if todo.swap(false, Ordering::SeqCst) {
            fs::write(&written, "after").unwrap();
        }
        ""
    });
    fixture.env.set_loader(path_loader(folder.path()));
    let body = "{{ edit() }}{% include 'in.html' %}";
    let fragment = format!("{{% call cached('x') %}}{body}{{% endcall %}}");
    for (name, source) in [("page.html", body), ("fragment.html", &fragment)] {
        fs::write(folder.path().join(name), source).unwrap();
        let render = || {
            let page = fixture.views.page(&fixture.env, name);
            let page = if name == "page.html" {
                page.cached()
            } else {
                page
            };
            page.render(|| ()).unwrap().into_string()
        };
        fs::write(&part, "1").unwrap();
        edits.store(true, Ordering::SeqCst);
        assert_eq!(render(), "after", "{name}");
        fs::write(&part, "1").unwrap();
        assert_eq!(render(), "1", "{name}");
    }
}

#[test]
fn how_an_environment_cuts_white_space_and_escapes_is_part_of_what_a_text_is_made_of() {
    let source = "{% if true %}\n{{ '<' }}{% endif %}";
    let fixture = Fixture::new(&[("a.html", source)]);
    let page = fixture.views.page(&fixture.env, "a.html").cached();
    assert_eq!(&*page.render(|| ()).unwrap(), "\n&lt;");
    let other = |change: fn(&mut Environment<'_>), text: &str| {
        let mut env = fixture.another_env();
        change(&mut env);
        env.add_template("a.html", source).unwrap();
        let views = JinjaViews::new(fixture.views.cache().clone());
        let page = views.page(&env, "a.html").cached();
        assert_eq!(&*page.render(|| ()).unwrap(), text);
    };
    other(
        |env| {
            let trimmed = SyntaxConfig::builder().trim_blocks(true).build();
            env.set_syntax(trimmed.unwrap());
        },
        "&lt;",
    );
    other(
        |env| env.set_auto_escape_callback(|_| AutoEscape::None),
        "\n<",
    );
}

/// Notes which templates it is told of.
struct Told;

static TOLD: Mutex<Vec<(String, bool)>> = Mutex::new(Vec::new());

impl TemplateCache for Told {
    type Arguments = NoArguments;

    fn open(_: NoArguments, _: &HostContext) -> Result<Self> {
        Ok(Self)
    }

    fn key_for<'a>(&'a self, request: &TemplateRequest<'a>) -> Result<TemplateEntry<'a>> {
        Ok(TemplateEntry::asked(request, "pages"))
    }

    fn template_changed(&self, change: &TemplateChange<'_>) -> Result<()> {
        let is_there = !change.after().is_empty();
        let mut told = TOLD.lock().unwrap();
        told.push((change.template().to_owned(), is_there));
        Ok(())
    }
}

#[test]
fn the_template_cache_is_told_of_pages_that_change_and_that_vanish() {
    let host = Host::builder()
        .plugin(dogpile_plugin_memory::plugin())
        .region(RegionConfig::on("pages", "memory"))
        .template_cache::<Told>("told")
        .templates(TemplatesConfig::new("told"))
        .build()
        .unwrap();
    let views = JinjaViews::new(ViewCache::new(&host));
    let mut env = Environment::new();
    views.add_to(&mut env);
    for source in ["1", "1", "2"] {
        env.add_template("a.html", source).unwrap();
        let page = views.page(&env, "a.html").cached();
        assert_eq!(&*page.render(|| ()).unwrap(), source);
    }
    env.remove_template("a.html");
    for _ in 0..2 {
        views.page(&env, "a.html").render(|| ()).unwrap_err();
    }
    let told = TOLD.lock().unwrap();
    let expected = [true, false].map(|is_there| ("a.html".to_owned(), is_there));
    assert_eq!(*told, expected);
}
