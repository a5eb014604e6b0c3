use std::os::unix::fs::symlink;
use std::process::Command;

use crate::support::{Fixture, page, render};

#[test]
fn a_path_names_the_template_of_that_name() {
    let fixture = Fixture::new(&[
        ("templates/index.html", "index {{ path }}"),
        ("templates/a.html", "a {{ path }}"),
        ("templates/a/b.html", "b {{ path }}"),
        ("templates/a/index.html", "index of a {{ path }}"),
        ("templates/q?x.html", "odd {{ path }}"),
        ("templates/notes.txt", ""),
        ("templates/a/.hidden.html", ""),
        ("templates/_layout.html", ""),
        ("templates/_parts/nav.html", ""),
        ("templates/a/_row.html", ""),
    ]);
    let site = fixture.site();
    for (path, text) in [
        ("/", "index /"),
        ("/index", "index /"),
        ("/a", "a &#x2F;a"),
        ("/a/b", "b &#x2F;a&#x2F;b"),
        ("/a/index", "index of a &#x2F;a&#x2F;index"),
        ("/q?x", "odd &#x2F;q?x"),
    ] {
        assert_eq!(
            render(&site, path).replace("&#x2F;", "/"),
            text.replace("&#x2F;", "/")
        );
    }
    let names: Vec<String> = site
        .pages()
        .unwrap()
        .iter()
        .map(|page| page.name().to_owned())
        .collect();
    assert_eq!(
        names,
        [
            "a.html",
            "a/b.html",
            "a/index.html",
            "index.html",
            "q?x.html"
        ]
    );
}

#[test]
fn a_path_that_names_nothing_or_leads_elsewhere_is_no_page() {
    let fixture = Fixture::new(&[
        ("x.html", "outside templates"),
        ("templates/index.html", ""),
        ("templates/a/b.html", ""),
        ("templates/_layout.html", ""),
        ("templates/_parts/nav.html", ""),
        ("templates/a/_row.html", ""),
        ("templates/.secret.html", ""),
        ("templates/.git/x.html", ""),
    ]);
    std::fs::write(fixture.around.path().join("out.html"), "outside").unwrap();
    symlink("../../out.html", fixture.path("templates/out.html")).unwrap();
    symlink("/etc", fixture.path("templates/etc")).unwrap();
    symlink("..", fixture.path("templates/up")).unwrap();
    symlink("nowhere.html", fixture.path("templates/dangling.html")).unwrap();
    let site = fixture.site();
    for path in [
        "",
        "a/b",
        "//",
        "//a/b",
        "/a//b",
        "/a/b/",
        "/a/",
        "/.",
        "/..",
        "/../x",
        "/..%2f",
        "/..%2fx",
        "/a/../a/b",
        "/a/./b",
        "/a\\b",
        "\\a\\b",
        "/a/b\0",
        "/a/b\0.html",
        "/a/b.html",
        "/index.html",
        "/_layout",
        "/_parts/nav",
        "/a/_row",
        "/.secret",
        "/.git/x",
        "/out",
        "/up/x",
        "/up/templates/a/b",
        "/etc/passwd",
        "/dangling",
        "/a/b\n",
        "/A/b",
        "/templates/a/b",
        "/nonesuch",
    ] {
        assert!(site.page(path).is_none(), "{path:?}");
    }
    assert_eq!(page(&site, "/a/b").name(), "a/b.html");
}

#[test]
fn a_link_that_leads_out_of_the_site_is_followed_once_it_leads_in() {
    let fixture = Fixture::new(&[("templates/real.html", "real")]);
    let link = fixture.path("templates/link.html");
    let middle = fixture.around.path().join("middle");
    symlink("/etc/hostname", &middle).unwrap();
    symlink(&middle, &link).unwrap();
    let site = fixture.site();
    assert!(site.page("/link").is_none());
    // The folder does not change, only what lies behind the link.
    std::fs::remove_file(&middle).unwrap();
    symlink(fixture.path("templates/real.html"), &middle).unwrap();
    assert_eq!(render(&site, "/link"), "real");
    std::fs::remove_file(&middle).unwrap();
    symlink("/etc/hostname", &middle).unwrap();
    assert!(site.page("/link").is_none());
}

#[test]
fn an_include_cannot_reach_out_of_the_templates() {
    let fixture = Fixture::new(&[("x.html", "secret")]);
    for name in ["../x.html", "/etc/hostname", "./index.html", "a//b.html"] {
        fixture.write("templates/index.html", format!("{{% include '{name}' %}}"));
        let error = page(&fixture.site(), "/").render(&[]).unwrap_err();
        assert!(error.message().contains("there is no template"), "{error}");
    }
}

#[test]
fn static_files_are_served_from_their_folder_and_from_nowhere_else() {
    let fixture = Fixture::new(&[
        ("templates/index.html", ""),
        ("data/d.json", "1"),
        ("static/site.css", "body {}"),
        ("static/img/a.svg", "<svg/>"),
        ("static/.env", "secret"),
        ("static/_x", "fine"),
    ]);
    std::fs::write(fixture.around.path().join("out.css"), "outside").unwrap();
    symlink("../../out.css", fixture.path("static/out.css")).unwrap();
    symlink("../data/d.json", fixture.path("static/d.json")).unwrap();
    symlink("/etc", fixture.path("static/etc")).unwrap();
    symlink("site.css", fixture.path("static/same.css")).unwrap();
    let site = fixture.site();
    let file = |path: &str| {
        site.static_file(path)
            .map(|file| (String::from_utf8(file.bytes).unwrap(), file.content_type))
    };
    let css = "text/css; charset=utf-8";
    assert_eq!(file("/static/site.css"), Some(("body {}".to_owned(), css)));
    assert_eq!(file("/static/same.css"), Some(("body {}".to_owned(), css)));
    assert_eq!(
        file("/static/img/a.svg"),
        Some(("<svg/>".to_owned(), "image/svg+xml"))
    );
    assert_eq!(
        file("/static/_x"),
        Some(("fine".to_owned(), "application/octet-stream"))
    );
    fixture.write("static/site.css", "new");
    assert_eq!(file("/static/site.css"), Some(("new".to_owned(), css)));
    for path in [
        "",
        "/static",
        "/static/",
        "/static/img",
        "/static/img/",
        "/static/.env",
        "/static/out.css",
        "/static/d.json",
        "/static/etc/hostname",
        "/static/../data/d.json",
        "/static/img/../site.css",
        "/static//site.css",
        "/static/..%2fdata/d.json",
        "/static/site.css\0",
        "/static\\site.css",
        "/data/d.json",
        "static/site.css",
        "/static//etc/hostname",
        "/static/nonesuch",
    ] {
        assert_eq!(file(path), None, "{path:?}");
    }
}

#[test]
fn a_fifo_in_the_site_blocks_nobody() {
    let fixture = Fixture::new(&[("templates/index.html", "fine"), ("static/x", "")]);
    for name in ["templates/fifo.html", "static/fifo.css"] {
        let made = Command::new("mkfifo").arg(fixture.path(name)).status();
        assert!(made.unwrap().success());
    }
    let site = fixture.site();
    assert!(site.page("/fifo").is_none());
    assert!(site.static_file("/static/fifo.css").is_none());
    assert_eq!(render(&site, "/"), "fine");
}
