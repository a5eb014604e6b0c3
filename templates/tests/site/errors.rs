use std::fs;
use std::os::unix::fs::PermissionsExt;

use dogpile_templates::{Site, ViewErrorKind};

use crate::support::{Fixture, error_of, page, render};

#[test]
fn a_folder_that_is_no_site_is_refused_with_its_name_and_a_remedy() {
    let fixture = Fixture::new(&[("file", "")]);
    for dir in ["absent", "file"] {
        let error = Site::open(&fixture.path(dir)).unwrap_err();
        assert_eq!(error.kind(), ViewErrorKind::Folder);
        assert_eq!(error.file(), fixture.path(dir));
        assert!(
            error.to_string().contains("templates/index.html"),
            "{error}"
        );
    }
    fs::remove_dir(fixture.path("templates")).unwrap();
    let error = Site::open(&fixture.dir).unwrap_err();
    assert_eq!(error.file(), fixture.path("templates"));
    assert_eq!(error.line(), None);
}

/// Each broken template with the line, the column and a part of the message.
const BROKEN: &[(&str, usize, usize, &str)] = &[
    ("one\n{% if x %}\ntwo", 3, 4, "end of input"),
    ("one\n{{ 1 + }}", 2, 8, ""),
    ("\n\n{{ 'a' | nonesuch }}", 3, 10, "nonesuch"),
    ("{{ nonesuch() }}", 1, 4, "nonesuch"),
    ("\n{% include 'nonesuch.html' %}", 2, 12, "nonesuch.html"),
    ("{% extends 'nonesuch.html' %}", 1, 12, "nonesuch.html"),
    ("{% include 'index.html' %}", 1, 12, "leads back to itself"),
    ("a\n{{ undefined_name }}", 2, 4, "undefined_name"),
    ("a\n{{ 1 + 'x' }}", 2, 4, ""),
    ("ä {{ throw(message='boo') }}", 1, 6, "boo"),
];

#[test]
fn a_broken_template_names_file_line_and_column_and_the_other_pages_go_on() {
    let fixture = Fixture::new(&[
        ("templates/index.html", "good"),
        ("templates/other.html", "other"),
    ]);
    let site = fixture.site();
    for &(template, line, column, message) in BROKEN {
        fixture.write("templates/index.html", template);
        let error = error_of(&site, "/");
        let shown = error.to_string();
        assert_eq!(
            error.file(),
            fixture.path("templates/index.html"),
            "{shown}"
        );
        assert_eq!(error.line(), Some(line), "{shown}");
        assert_eq!(error.column(), Some(column), "{shown}");
        assert!(error.message().contains(message), "{shown}");
        assert!(shown.ends_with(error.remedy()), "{shown}");
        assert_eq!(render(&site, "/other"), "other");
        fixture.write("templates/index.html", "good");
        assert_eq!(render(&site, "/"), "good");
    }
}

#[test]
fn an_error_shows_the_line_with_a_caret() {
    let fixture = Fixture::new(&[("templates/index.html", "a\n\t{{ x | nonesuch }}")]);
    let shown = error_of(&fixture.site(), "/").to_string();
    let file = fixture.path("templates/index.html");
    let expected = format!(
        "{}:2:9: Unknown filter `nonesuch`\n2 | \t{{{{ x | nonesuch }}}}\n  | \t       ^\n",
        file.display()
    );
    assert!(shown.starts_with(&expected), "{shown}");
}

#[test]
fn an_error_in_an_include_names_the_include_and_concerns_only_the_pages_that_use_it() {
    let fixture = Fixture::new(&[
        ("templates/a.html", "{% include '_i.html' %}"),
        ("templates/b.html", "b"),
        ("templates/_i.html", "fine"),
    ]);
    let site = fixture.site();
    fixture.write("templates/_i.html", "fine\n{{ x.y }}");
    let error = error_of(&site, "/a");
    assert_eq!(error.file(), fixture.path("templates/_i.html"));
    assert_eq!(error.line(), Some(2));
    assert_eq!(render(&site, "/b"), "b");
}

#[test]
fn bad_json_names_file_and_line_and_concerns_only_the_pages_that_use_it() {
    let fixture = Fixture::new(&[
        ("templates/a.html", "{{ data.a.x }}"),
        ("templates/b.html", "{{ data.b }}"),
        ("templates/all.html", "{{ data | length }}"),
        ("data/a.json", "{\"x\": 1}"),
        ("data/b.json", "2"),
    ]);
    let site = fixture.site();
    assert_eq!(render(&site, "/all"), "2");
    for (bad, line) in [
        ("{\n  \"x\": 1,\n}", 3),
        ("{\n\"x\":\n", 3),
        ("", 1),
        ("\n\n\u{1}", 3),
        ("{\"x\": 1}\n{}", 2),
    ] {
        fixture.write("data/a.json", bad);
        for path in ["/a", "/all"] {
            let error = error_of(&site, path);
            assert_eq!(error.kind(), ViewErrorKind::Data);
            assert_eq!(error.file(), fixture.path("data/a.json"));
            assert_eq!(error.line(), Some(line), "{error}");
        }
        assert_eq!(render(&site, "/b"), "2");
    }
    fixture.write("data/a.json", "{\"x\": 5}");
    assert_eq!(render(&site, "/a"), "5");
}

#[test]
fn a_file_that_is_not_utf8_names_the_line() {
    let fixture = Fixture::new(&[("templates/b.html", "b"), ("data/d.json", "1")]);
    fixture.write("templates/a.html", b"one\ntw\xc3\xb6 \xff");
    let site = fixture.site();
    let error = error_of(&site, "/a");
    assert_eq!(error.kind(), ViewErrorKind::File);
    assert_eq!((error.line(), error.column()), (Some(2), Some(5)));
    assert_eq!(render(&site, "/b"), "b");
    fixture.write("templates/a.html", "{{ data.d }}");
    fixture.write("data/d.json", b"\n\xff");
    assert_eq!(error_of(&site, "/a").line(), Some(2));
}

#[test]
fn templates_that_lead_back_to_themselves_are_refused_and_do_not_exhaust_the_stack() {
    let fixture = Fixture::new(&[
        ("templates/a.html", "{% include 'b.html' %}"),
        ("templates/b.html", "{% extends 'a.html' %}"),
        ("templates/c.html", "{{ <Loop/> }}"),
        (
            "templates/_loop.html",
            "{% component Loop() %}{% include 'c.html' %}{% endcomponent %}",
        ),
        (
            "templates/d.html",
            "{% component Self() %}{{ <Self/> }}{% endcomponent %}{{ <Self/> }}",
        ),
        ("templates/e.html", "e"),
    ]);
    for level in 0..1000 {
        let next = level + 1;
        let include = format!("{{% include '_{next}.html' %}}");
        fixture.write(&format!("templates/_{level}.html"), include);
    }
    fixture.write("templates/_1000.html", "end");
    fixture.write("templates/deep.html", "{% include '_0.html' %}");
    fixture.write("templates/less.html", "{% include '_970.html' %}");
    let site = fixture.site();
    for path in ["/a", "/b", "/c"] {
        let error = error_of(&site, path);
        assert!(error.message().contains("leads back to itself"), "{error}");
        assert_eq!(error.line(), Some(1));
    }
    assert!(error_of(&site, "/d").message().contains("recursion"));
    assert!(error_of(&site, "/deep").message().contains("32 deep"));
    assert_eq!(render(&site, "/less"), "end");
    assert_eq!(render(&site, "/e"), "e");
}

#[test]
fn the_deepest_nesting_that_is_allowed_renders_on_a_small_stack() {
    let fixture = Fixture::new(&[("templates/index.html", "{% include '_1.html' %}")]);
    for level in 1..32 {
        let include = format!("{{% include '_{}.html' %}}", level + 1);
        fixture.write(&format!("templates/_{level}.html"), include);
    }
    fixture.write(
        "templates/_32.html",
        "{% component C(n) %}{% if n > 1 %}{{ <C n={n - 1}/> }}{% else %}end{% endif %}{% endcomponent %}\
         {{ <C n={20}/> }}",
    );
    let site = fixture.site();
    let small = std::thread::Builder::new().stack_size(128 << 10);
    std::thread::scope(|scope| {
        let rendering = small.spawn_scoped(scope, || render(&site, "/"));
        assert_eq!(rendering.unwrap().join().unwrap(), "end");
    });
}

#[test]
fn a_file_that_cannot_be_read_is_an_error_until_it_can() {
    let fixture = Fixture::new(&[("templates/a.html", "a"), ("templates/b.html", "b")]);
    let file = fixture.path("templates/a.html");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o000)).unwrap();
    if fs::read(&file).is_ok() {
        // The superuser reads everything.
        return;
    }
    let site = fixture.site();
    assert_eq!(error_of(&site, "/a").kind(), ViewErrorKind::File);
    assert_eq!(render(&site, "/b"), "b");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    assert_eq!(render(&site, "/a"), "a");
}

#[test]
fn a_site_that_vanishes_answers_with_an_error_and_comes_back() {
    let fixture = Fixture::new(&[("templates/a.html", "a")]);
    let site = fixture.site();
    let away = fixture.around.path().join("away");
    fs::rename(&fixture.dir, &away).unwrap();
    assert_eq!(error_of(&site, "/a").kind(), ViewErrorKind::Folder);
    assert_eq!(page(&site, "/a").digest(), "");
    assert_eq!(site.check().len(), 1);
    assert!(site.page("/../a").is_none());
    fs::rename(&away, &fixture.dir).unwrap();
    assert_eq!(render(&site, "/a"), "a");
}

#[test]
fn a_check_gives_each_error_once() {
    let fixture = Fixture::new(&[
        ("templates/a.html", "{% include '_i.html' %}"),
        ("templates/b.html", "{% include '_i.html' %}"),
        ("templates/c.html", "{{ data.c }}"),
        ("templates/d.html", "d"),
        ("templates/_i.html", "{{ x"),
        ("data/c.json", "{"),
    ]);
    let site = fixture.site();
    let errors = site.check();
    let files: Vec<_> = errors.iter().map(|error| error.file().to_owned()).collect();
    assert_eq!(
        files,
        [
            fixture.path("templates/_i.html"),
            fixture.path("data/c.json")
        ]
    );
    assert_eq!(render(&site, "/d"), "d");
}
