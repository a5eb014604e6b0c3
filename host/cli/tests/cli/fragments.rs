//! Cached fragments on the pages of `serve`.

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::{Folder, Response, Server};

const MANIFEST: &str = r#"version = 1

[host]
plugin_dir = "plugins"

[plugins.memory]
[plugins.template-cache]

[regions.pages]
backend = "memory"
expiration_time = "1h"

[regions.fragments]
backend = "memory"
expiration_time = "1h"

[templates]
plugin = "template-cache"

[templates.arguments]
region = "fragments"
"#;

/// Fragments in a fragment, and one beside them.
const PAGE: &str = r#"{% cache "list" %}{% for p in data.peaks %}{% cache "row", key=p %}<li>{{ p.name }}</li>
{% endcache %}{% endfor %}{% endcache %}{% cache "seas" %}{{ data.seas | length }} seas{% endcache %}{% if query.other is defined %}{% endif %}
"#;

const FIRST: &str = "<li>K2</li>\n<li>Eiger</li>\n2 seas\n";

fn site() -> Folder {
    let folder = Folder::new(MANIFEST);
    folder.add_plugin("template_cache");
    folder.write("site/templates/index.html", PAGE);
    folder.write(
        "site/data/peaks.json",
        r#"[{"name": "K2"}, {"name": "Eiger"}]"#,
    );
    folder.write("site/data/seas.json", "[1, 2]");
    folder
}

fn fragments(page: &Response) -> &str {
    page.header("x-dogpile-fragments").unwrap_or("none")
}

#[test]
fn a_second_render_has_all_its_fragments_from_the_cache() {
    let folder = site();
    let server = folder.serve();
    let page = server.get("/");
    assert_eq!((page.source(), page.body.as_str()), ("created", FIRST));
    assert_eq!(
        fragments(&page),
        "\"index.html:list\";created=1, \"index.html:row\";created=2, \"index.html:seas\";created=1"
    );
    // The page itself: its fragments were not even asked for.
    let page = server.get("/");
    assert_eq!((page.source(), fragments(&page)), ("fresh", "none"));
    // Another page of the same template: the rows are in the list, and that is there.
    let page = server.get("/?other");
    assert_eq!((page.source(), page.body.as_str()), ("created", FIRST));
    assert_eq!(
        fragments(&page),
        "\"index.html:list\";fresh=1, \"index.html:seas\";fresh=1"
    );
    assert!(!page.body.contains("<!--"), "{page:?}");
}

#[test]
fn an_edit_of_a_data_file_makes_its_texts_anew_and_leaves_the_others() {
    let folder = site();
    let server = folder.serve();
    assert_eq!(server.get("/").body, FIRST);
    folder.write(
        "site/data/peaks.json",
        r#"[{"name": "K2"}, {"name": "Mönch"}]"#,
    );
    let page = server.get("/");
    assert_eq!(page.body, FIRST.replace("Eiger", "Mönch"));
    assert_eq!(
        fragments(&page),
        "\"index.html:list\";created=1, \"index.html:row\";fresh=1;created=1, \"index.html:seas\";fresh=1"
    );
    folder.write("site/data/seas.json", "[1]");
    let page = server.get("/");
    assert!(page.body.ends_with("1 seas\n"), "{page:?}");
    assert_eq!(
        fragments(&page),
        "\"index.html:list\";fresh=1, \"index.html:seas\";created=1"
    );
    assert_eq!(server.get("/").source(), "fresh");
}

#[test]
fn an_edit_of_a_template_makes_anew_what_is_made_of_the_edited_part() {
    let folder = site();
    let server = folder.serve();
    assert_eq!(server.get("/").body, FIRST);
    folder.write(
        "site/templates/index.html",
        &format!("<h1>Peaks</h1>\n{PAGE}"),
    );
    let page = server.get("/");
    assert_eq!(page.body, format!("<h1>Peaks</h1>\n{FIRST}"));
    let fresh = "\"index.html:list\";fresh=1, \"index.html:seas\";fresh=1";
    assert_eq!((page.source(), fragments(&page)), ("created", fresh));
    folder.write(
        "site/templates/index.html",
        &PAGE.replace(" seas{%", " lakes{%"),
    );
    let page = server.get("/");
    assert_eq!(page.body, FIRST.replace("seas", "lakes"));
    assert_eq!(
        fragments(&page),
        "\"index.html:list\";fresh=1, \"index.html:seas\";created=1"
    );
}

#[test]
fn who_starts_the_server_with_comment_has_one_at_the_end_of_each_page() {
    let folder = site();
    let server = folder.serve_with(&["--comment"]);
    let page = server.get("/");
    assert_eq!(
        page.body,
        format!(
            "{FIRST}<!-- dogpile: this page: created\nindex.html: fragment \"list\": 1 created\n\
             index.html: fragment \"row\": 2 created\nindex.html: fragment \"seas\": 1 created\n-->\n"
        )
    );
    // What is stored has none.
    let page = server.get("/");
    assert_eq!(
        page.body,
        format!("{FIRST}<!-- dogpile: this page: fresh\n-->\n")
    );
    assert_eq!(
        page.header("content-length"),
        Some(&*page.body.len().to_string())
    );
}

#[test]
fn the_template_cache_decides_of_pages_and_fragments_alike_and_is_edited_live() {
    let folder = site();
    let mut server = folder.serve();
    server.wait_for_log("listening");
    server.get("/");
    let rule = "rules = [{ template = \"index.html\", fragment = \"seas\", decision = \"bypass\" }, \
                { template = \"index.html\", part = \"page\", decision = \"bypass\" }]\n";
    folder.write("dogpile.toml", &format!("{MANIFEST}{rule}"));
    server.wait_for_log("generation 2");
    for _ in 0..2 {
        let page = server.get("/");
        assert_eq!((page.source(), page.body.as_str()), ("bypassed", FIRST));
        assert_eq!(
            fragments(&page),
            "\"index.html:list\";fresh=1, \"index.html:seas\";bypassed=1"
        );
    }
    // Without anything that decides, pages are cached as they ever were, and fragments are rendered.
    let (without, _) = MANIFEST.split_once("[templates]").unwrap();
    folder.write("dogpile.toml", without);
    server.wait_for_log("generation 3");
    server.get("/?new");
    let page = server.get("/?new");
    assert_eq!((page.source(), page.body.as_str()), ("fresh", FIRST));
}

/// The demo site, as it is shipped.
struct Demo {
    folder: Folder,
}

impl Demo {
    fn new() -> Self {
        let manifest = fs::read_to_string(shipped().join("dogpile.toml")).unwrap();
        let folder = Folder::new(&manifest);
        for plugin in ["dbm", "template_cache"] {
            folder.add_plugin(plugin);
        }
        copy(&shipped().join("site"), &folder.path("site"));
        Self { folder }
    }

    fn serve(&self) -> Server {
        self.folder.serve()
    }

    /// Replaces something in one of its files.
    fn edit(&self, name: &str, from: &str, to: &str) {
        let text = fs::read_to_string(self.folder.path(name)).unwrap();
        assert!(text.contains(from), "{name}: {from}");
        self.folder.write(name, &text.replacen(from, to, 1));
    }
}

fn shipped() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../templates")
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

#[test]
fn nothing_is_wrong_with_the_demo() {
    let demo = Demo::new();
    let check = demo.folder.dogpile(&["check", "--site", "site"]);
    check.is(0, "ok: 3 regions, 5 plugins, 5 pages\n", "");
}

#[test]
fn an_edited_mountain_is_one_new_row_of_the_demos_list() {
    let demo = Demo::new();
    let server = demo.serve();
    let page = server.get("/mountains");
    let created = "\"mountains.html:list\";created=1, \"mountains.html:row\";created=79";
    assert_eq!((page.status, fragments(&page)), (200, created));
    assert!(
        page.body.contains("<td class=\"number\">8,849 m</td>"),
        "{page:?}"
    );
    demo.edit(
        "site/data/mountains.json",
        "\"height\": 8849",
        "\"height\": 8850",
    );
    let page = server.get("/mountains");
    assert!(
        page.body.contains("<td class=\"number\">8,850 m</td>"),
        "{page:?}"
    );
    assert!(!page.body.contains("8,849"), "{page:?}");
    let one = "\"mountains.html:list\";created=1, \"mountains.html:row\";created=1;fresh=78";
    assert_eq!(fragments(&page), one);
}

#[test]
fn the_demos_dear_fragments_outlive_edits_that_do_not_concern_them() {
    let demo = Demo::new();
    let server = demo.serve();
    let target = "/distances?continent=africa";
    let page = server.get(target);
    let created = "\"distances.html:matrix\";created=1, \"distances.html:report\";created=1, \
                   \"distances.html:triangles\";created=1";
    assert_eq!((page.status, fragments(&page)), (200, created));
    demo.edit("site/data/continents.json", "\"Europe\"", "\"Old World\"");
    let page = server.get(target);
    assert!(page.body.contains(">Old World</a>"), "{page:?}");
    assert_eq!(fragments(&page), "\"distances.html:report\";fresh=1");
    demo.edit(
        "site/templates/distances.html",
        "All distances, in km",
        "Distances, in km",
    );
    let page = server.get(target);
    assert!(
        page.body.contains("<h2 id=\"matrix\">Distances, in km"),
        "{page:?}"
    );
    let report = "\"distances.html:matrix\";fresh=1, \"distances.html:report\";created=1, \
                  \"distances.html:triangles\";fresh=1";
    assert_eq!(fragments(&page), report);
    // Facts that came by way of variables.
    let target = "/mountain?name=Mont%20Blanc";
    assert!(server.get(target).body.contains("<dd>Alps</dd>"));
    demo.edit(
        "site/data/mountains.json",
        "\"range\": \"Alps\"",
        "\"range\": \"The Alps\"",
    );
    let (mut seen, mut page) = (0, server.get(target));
    while !page.body.contains("<dd>The Alps</dd>") {
        // Mont Blanc need not be the first of the Alps in the file.
        seen += 1;
        assert!(seen < 79, "{page:?}");
        demo.edit(
            "site/data/mountains.json",
            "\"range\": \"Alps\"",
            "\"range\": \"The Alps\"",
        );
        page = server.get(target);
    }
    let anew = "\"_map.html:dots\";created=1, \"mountain.html:facts\";created=1, \"mountain.html:near\";created=1";
    assert_eq!(fragments(&page), anew);
}
