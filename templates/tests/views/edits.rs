//! Edits: the next render is right, and what they do not concern stays in the cache.

use std::fs;
use std::os::unix::fs::symlink;

use dogpile_templates::{Rendered, ViewCache, Views};
use tera::Context;

use crate::support::Fixture;

const FILES: &[(&str, &str)] = &[
    (
        "page.html",
        "{% extends \"base.html\" %}{% block main %}{% cache \"one\" %}{{ count() }}1{% include \"in.html\" %}{% endcache %}\
         {% cache \"two\" %}{{ count() }}2{{<Star/>}}{% endcache %}{% endblock %}",
    ),
    ("base.html", "<{% block main %}{% endblock %}>"),
    ("in.html", "in"),
    ("ui.html", "{% component Star() %}*{% endcomponent %}"),
];

#[test]
fn an_edit_is_seen_by_the_next_render_and_runs_no_body_that_it_does_not_concern() {
    let fixture = Fixture::new(FILES);
    let page = || {
        let page = fixture.views.page("page.html").cached();
        let text = page.render(Context::new).unwrap().into_string();
        (text, fixture.ran())
    };
    assert_eq!(page(), ("<1in2*>".to_owned(), 2));
    assert_eq!(page(), ("<1in2*>".to_owned(), 0));
    for (file, content, text, runs) in [
        // The parent: no body is made of it.
        (
            "base.html",
            "({% block main %}{% endblock %})",
            "(1in2*)",
            0,
        ),
        // An include: one body.
        ("in.html", "IN", "(1IN2*)", 1),
        // A component: the other.
        (
            "ui.html",
            "{% component Star() %}+{% endcomponent %}",
            "(1IN2+)",
            1,
        ),
        // The template itself, outside of the bodies, and one body.
        (
            "page.html",
            "{% extends \"base.html\" %}{% block main %}\n!{% cache \"one\" %}{{ count() }}1{% include \"in.html\" %}{% endcache %}\
             {% cache \"two\" %}{{ count() }}two{{<Star/>}}{% endcache %}{% endblock %}",
            "(\n!1INtwo+)",
            1,
        ),
        // Back to what it was: all of it is still there.
        ("page.html", FILES[0].1, "(1IN2+)", 0),
    ] {
        fixture.write(file, content);
        assert_eq!(page(), (text.to_owned(), runs), "{file}: {content}");
        assert_eq!(page(), (text.to_owned(), 0), "{file}: {content}");
    }
}

#[test]
fn an_edit_by_another_name_of_a_file_is_seen() {
    let fixture = Fixture::new(&[("a.html", "one")]);
    let beside = tempfile::tempdir().unwrap();
    let other = beside.path().join("other");
    fs::hard_link(fixture.dir().join("a.html"), &other).unwrap();
    assert_eq!(fixture.render("a.html", &Context::new()), "one");
    fs::write(other, "two").unwrap();
    assert_eq!(fixture.render("a.html", &Context::new()), "two");
}

#[test]
fn a_folder_that_was_moved_and_replaced_is_followed_by_its_path() {
    let around = tempfile::tempdir().unwrap();
    let folder = |name: &str, text: &str| {
        fs::create_dir_all(around.path().join(name).join("views")).unwrap();
        fs::write(around.path().join(name).join("views/a.html"), text).unwrap();
    };
    folder("release", "one");
    let views = around.path().join("release/views");
    let views = Views::open(views, ViewCache::off(), |_| {}).unwrap();
    let render = || {
        let page = views.page("a.html").render(Context::new);
        page.map(Rendered::into_string)
    };
    assert_eq!(render().unwrap(), "one");
    fs::rename(around.path().join("release"), around.path().join("old")).unwrap();
    render().unwrap_err();
    folder("release", "two");
    assert_eq!(render().unwrap(), "two");
    fs::write(around.path().join("release/views/a.html"), "three").unwrap();
    assert_eq!(render().unwrap(), "three");
}

#[test]
fn edits_of_a_folder_that_cannot_be_watched_are_seen() {
    // What stands behind such a link may come without a change of the folder.
    let fixture = Fixture::new(&[("a.html", "0")]);
    symlink("new/b.html", fixture.dir().join("b.html")).unwrap();
    for round in 1..20 {
        fixture.write("a.html", &round.to_string());
        assert_eq!(fixture.render("a.html", &Context::new()), round.to_string());
    }
    fixture.error("b.html");
    fixture.write("new/b.html", "b");
    assert_eq!(fixture.render("b.html", &Context::new()), "b");
}

#[test]
fn how_a_tag_cuts_white_space_is_part_of_what_its_text_is_made_of() {
    let fixture = Fixture::new(&[("a.html", "{% cache \"x\" %} x {% endcache %}")]);
    let render = || fixture.render("a.html", &Context::new());
    assert_eq!(render(), " x ");
    fixture.write("a.html", "{% cache \"x\" -%} x {% endcache %}");
    assert_eq!(render(), "x ");
    fixture.write("a.html", "{% cache \"x\" -%} x {%- endcache %}");
    assert_eq!(render(), "x");
    fixture.write("a.html", "{% cache \"x\" %} x {%- endcache -%} ");
    assert_eq!(render(), " x");
}

#[test]
fn two_folders_in_one_region_whose_pages_are_given_different_things_never_share_a_text() {
    let fixture = Fixture::new(&[("a.html", "{% cache \"x\" %}{{ shop }}{% endcache %}")]);
    let of = |shop: &'static str| {
        let cache = fixture.views.cache().clone();
        let views = Views::open(fixture.dir(), cache, move |tera| {
            tera.global_context().insert("shop", shop);
        });
        let views = views.unwrap();
        let page = views.page("a.html").cached().render(Context::new).unwrap();
        let fragments = views.page("a.html").render(Context::new).unwrap();
        (page.into_string(), fragments.into_string())
    };
    for shop in ["one", "two", "one"] {
        assert_eq!(of(shop), (shop.to_owned(), shop.to_owned()));
    }
}
