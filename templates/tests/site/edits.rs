use std::fs;
use std::os::unix::fs::symlink;
use std::thread;

use crate::support::{Fixture, digest, page, render};

const FILES: &[(&str, &str)] = &[
    ("templates/_base.html", "<{% block body %}{% endblock %}>"),
    ("templates/_inner.html", "inner"),
    (
        "templates/_outer.html",
        "outer {% include \"_inner.html\" %}",
    ),
    (
        "templates/_ui.html",
        "{% component Star(n) %}{{ n }}*{% endcomponent %}",
    ),
    (
        "templates/index.html",
        "{% extends '_base.html' %}{% block body %}{% include \"_outer.html\" %} {{ data.a.x }} {{ <Star n={1}/> }}{% endblock %}",
    ),
    ("templates/other.html", "other {{ data.b[0] }}"),
    ("data/a.json", "{\"x\": 1}"),
    ("data/b.json", "[7]"),
];

#[test]
fn an_edit_of_whatever_a_page_is_made_of_changes_its_digest_and_its_text_and_no_other_page() {
    let fixture = Fixture::new(FILES);
    let site = fixture.site();
    assert_eq!(render(&site, "/"), "<outer inner 1 1*>");
    let other = digest(&site, "/other");
    for (file, content, text) in [
        (
            "templates/_base.html",
            "({% block body %}{% endblock %})",
            "(outer inner 1 1*)",
        ),
        ("templates/_inner.html", "INNER", "(outer INNER 1 1*)"),
        (
            "templates/_outer.html",
            "OUTER {% include '_inner.html' %}",
            "(OUTER INNER 1 1*)",
        ),
        ("data/a.json", "{\"x\": 2}", "(OUTER INNER 2 1*)"),
        (
            "templates/_ui.html",
            "{% component Star(n) %}{{ n }}+{% endcomponent %}",
            "(OUTER INNER 2 1+)",
        ),
        ("templates/index.html", "all new", "all new"),
    ] {
        let before = digest(&site, "/");
        fixture.write(file, content);
        assert_ne!(digest(&site, "/"), before, "{file}");
        assert_eq!(render(&site, "/"), text, "{file}");
        assert_eq!(digest(&site, "/other"), other, "{file}");
    }
    fixture.write("data/b.json", "[8]");
    assert_ne!(digest(&site, "/other"), other);
    assert_eq!(render(&site, "/other"), "other 8");
}

#[test]
fn the_digest_is_of_the_content_and_not_of_the_time() {
    let fixture = Fixture::new(FILES);
    let site = fixture.site();
    let before = digest(&site, "/");
    fixture.write("templates/index.html", "else");
    assert_ne!(digest(&site, "/"), before);
    fixture.write("templates/index.html", FILES[4].1);
    assert_eq!(digest(&site, "/"), before);
    assert_eq!(digest(&fixture.site(), "/"), before);
}

#[test]
fn edits_within_one_tick_and_of_one_length_are_all_seen() {
    let fixture = Fixture::new(FILES);
    let site = fixture.site();
    for round in 100..400 {
        fixture.write("templates/index.html", round.to_string());
        assert_eq!(render(&site, "/"), round.to_string());
    }
}

#[test]
fn a_file_replaced_by_rename_is_seen() {
    let fixture = Fixture::new(FILES);
    let site = fixture.site();
    fixture.write("templates/.index.html.swp", "renamed");
    assert!(site.page("/.index").is_none());
    fs::rename(
        fixture.path("templates/.index.html.swp"),
        fixture.path("templates/index.html"),
    )
    .unwrap();
    assert_eq!(render(&site, "/"), "renamed");
}

#[test]
fn new_and_removed_files_and_folders_are_seen() {
    let fixture = Fixture::new(FILES);
    let site = fixture.site();
    assert!(site.page("/new/page").is_none());
    fixture.write(
        "templates/new/page.html",
        "{{ data.c | default(value='none') }}",
    );
    assert_eq!(render(&site, "/new/page"), "none");
    fixture.write("data/c.json", "3");
    assert_eq!(render(&site, "/new/page"), "3");
    fixture.remove("data/c.json");
    assert_eq!(render(&site, "/new/page"), "none");
    fs::remove_dir_all(fixture.path("data")).unwrap();
    assert_eq!(render(&site, "/new/page"), "none");
    fs::remove_dir_all(fixture.path("templates/new")).unwrap();
    assert!(site.page("/new/page").is_none());
    fixture.write("data/c.json", "4");
    fixture.write("templates/new/page.html", "{{ data.c }}");
    assert_eq!(render(&site, "/new/page"), "4");
}

#[test]
fn a_page_is_a_snapshot() {
    let fixture = Fixture::new(FILES);
    let site = fixture.site();
    let old = page(&site, "/");
    let name = old.name().to_owned();
    fixture.write("templates/_inner.html", "new");
    fixture.write("data/a.json", "{\"x\": 9}");
    assert_ne!(page(&site, "/").digest(), old.digest());
    assert_eq!(old.render(&[]).unwrap(), "<outer inner 1 1*>");
    assert_eq!(name, "index.html");
}

#[test]
fn a_site_behind_a_symbolic_link_follows_the_link() {
    let one = Fixture::new(&[("templates/index.html", "one")]);
    let two = Fixture::new(&[("templates/index.html", "two")]);
    let link = one.around.path().join("current");
    symlink(&one.dir, &link).unwrap();
    let site = dogpile_templates::Site::open(&link).unwrap();
    assert_eq!(render(&site, "/"), "one");
    fs::remove_file(&link).unwrap();
    symlink(&two.dir, &link).unwrap();
    assert_eq!(render(&site, "/"), "two");
}

#[test]
fn a_link_within_the_site_is_followed_when_what_lies_behind_it_is_swapped() {
    // The layout of a mounted Kubernetes ConfigMap.
    let fixture = Fixture::new(&[
        ("templates/..one/index.html", "one"),
        ("templates/..two/index.html", "two"),
    ]);
    let data = fixture.path("templates/..data");
    symlink("..one", &data).unwrap();
    symlink("..data/index.html", fixture.path("templates/index.html")).unwrap();
    let site = fixture.site();
    assert_eq!(render(&site, "/"), "one");
    symlink("..two", fixture.path("templates/..new")).unwrap();
    fs::rename(fixture.path("templates/..new"), &data).unwrap();
    assert_eq!(render(&site, "/"), "two");
    assert_eq!(site.pages().unwrap().len(), 1);
}

#[test]
fn eight_threads_and_an_editor_see_whole_pages_only() {
    // Both files of a save hold the same number, and the include is replaced by rename, so each is whole.
    let fixture = Fixture::new(&[
        (
            "templates/index.html",
            "{% include '_n.html' %} {{ data.n }}",
        ),
        ("templates/_n.html", "0"),
        ("data/n.json", "0"),
    ]);
    let site = fixture.site();
    thread::scope(|scope| {
        let readers: Vec<_> = (0..8)
            .map(|_| {
                scope.spawn(|| {
                    let mut last = (0, 0);
                    while last != (50, 50) {
                        let text = render(&site, "/");
                        let (include, data) = text.split_once(' ').unwrap();
                        let now: (u32, u32) = (include.parse().unwrap(), data.parse().unwrap());
                        assert!(now.0 >= last.0 && now.1 >= last.1, "{now:?} after {last:?}");
                        last = now;
                    }
                })
            })
            .collect();
        for number in 1..=50 {
            for file in ["templates/_n.html", "data/n.json"] {
                fixture.write("new", number.to_string());
                fs::rename(fixture.path("new"), fixture.path(file)).unwrap();
            }
        }
        for reader in readers {
            reader.join().unwrap();
        }
    });
}
