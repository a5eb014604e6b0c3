//! Fragments of a site's pages in the cache, through edits of data and templates.

use std::time::Duration;

use dogpile::{Host, RegionConfig, TemplatesConfig};
use dogpile_templates::{Site, TemplateOutcome, Trace, ViewCache};

use crate::support::{Fixture, page};

const FILES: &[(&str, &str)] = &[
    (
        "templates/index.html",
        "{% cache \"list\" %}{% for p in data.peaks %}{% cache \"row\", key=p %}[{{ p.name }}]{% endcache %}{% endfor %}\
         {% endcache %}{% cache \"seas\" %}{{ data.seas | length }} seas{% endcache %}",
    ),
    (
        "templates/set.html",
        "{% set peaks = data.peaks | length %}{% cache \"count\", tags=[\"data/peaks.json\"] %}{{ peaks }}{% endcache %}\
         {% cache \"words\", tags=[\"words\"] %}!{% endcache %}",
    ),
    ("data/peaks.json", r#"[{"name": "a"}, {"name": "b"}]"#),
    ("data/seas.json", "[1]"),
];

pub(crate) fn host() -> Host {
    let region = |name| RegionConfig::on(name, "memory").expiration_time(Duration::from_secs(100));
    Host::builder()
        .plugin(dogpile_plugin_memory::plugin())
        .plugin(dogpile_plugin_template_cache::plugin())
        .region(region("pages"))
        .region(region("whole"))
        .templates(TemplatesConfig::new("template-cache"))
        .build()
        .unwrap()
}

/// The text of a page, and a line for each of its fragments.
fn rendered(site: &Site, path: &str) -> (String, Vec<String>) {
    let (text, trace) = Trace::of(|| page(site, path).render(&[]).unwrap());
    let mut parts: Vec<_> = trace.parts().iter().map(ToString::to_string).collect();
    parts.sort();
    (text, parts)
}

#[test]
fn an_edit_of_a_data_file_makes_the_texts_of_it_anew_and_no_others() {
    let fixture = Fixture::new(FILES);
    let host = host();
    let site = Site::open_with(&fixture.dir, ViewCache::new(&host)).unwrap();
    let (text, parts) = rendered(&site, "/");
    assert_eq!(text, "[a][b]1 seas");
    let created = [
        "index.html: fragment \"list\": 1 created",
        "index.html: fragment \"row\": 2 created",
        "index.html: fragment \"seas\": 1 created",
    ];
    assert_eq!(parts, created);
    let fresh = [
        "index.html: fragment \"list\": 1 fresh",
        "index.html: fragment \"seas\": 1 fresh",
    ];
    assert_eq!(rendered(&site, "/").1, fresh);
    // One row of the list is another.
    fixture.write("data/peaks.json", r#"[{"name": "a"}, {"name": "B"}]"#);
    let (text, parts) = rendered(&site, "/");
    assert_eq!(text, "[a][B]1 seas");
    let one = [
        "index.html: fragment \"list\": 1 created",
        "index.html: fragment \"row\": 1 fresh, 1 created",
        "index.html: fragment \"seas\": 1 fresh",
    ];
    assert_eq!(parts, one);
    assert_eq!(rendered(&site, "/").1, fresh);
}

#[test]
fn a_fragment_with_a_data_files_tag_changes_with_it_though_it_has_it_by_a_variable() {
    let fixture = Fixture::new(FILES);
    let host = host();
    let open = || Site::open_with(&fixture.dir, ViewCache::new(&host)).unwrap();
    let site = open();
    let old = page(&site, "/set");
    assert_eq!(rendered(&site, "/set").0, "2!");
    fixture.write("data/peaks.json", "[1, 2, 3]");
    let (text, parts) = rendered(&site, "/set");
    assert_eq!(text, "3!");
    let one = [
        "set.html: fragment \"count\": 1 created",
        "set.html: fragment \"words\": 1 fresh",
    ];
    assert_eq!(parts, one);
    // A render of the page as it was does not change what the page as it is shows.
    assert_eq!(old.render(&[]).unwrap(), "2!");
    assert_eq!(rendered(&site, "/set").0, "3!");
    // Nor does an edit while nobody looked.
    drop(site);
    fixture.write("data/peaks.json", "[]");
    assert_eq!(rendered(&open(), "/set").0, "0!");
}

#[test]
fn the_texts_of_a_data_file_have_its_tag_and_are_outdated_when_it_changes() {
    let fixture = Fixture::new(FILES);
    let host = host();
    let cache = ViewCache::new(&host);
    let site = Site::open_with(&fixture.dir, cache.clone()).unwrap();
    let whole = || page(&site, "/").cached("whole", &[]).unwrap().outcome();
    assert_eq!(whole(), TemplateOutcome::Created);
    assert_eq!(whole(), TemplateOutcome::Fresh);
    let hard = dogpile::Invalidation::Hard;
    host.region("whole")
        .unwrap()
        .invalidate_tags(["data/seas.json"], hard)
        .unwrap();
    let (outcome, trace) = Trace::of(whole);
    assert_eq!(outcome, TemplateOutcome::Created);
    assert_eq!(
        trace.parts()[0].to_string(),
        "index.html: fragment \"list\": 1 fresh"
    );
    // In all regions that the cache has used; nothing else is concerned.
    cache.invalidate_tags(["data/seas.json"], hard).unwrap();
    let (outcome, trace) = Trace::of(whole);
    assert_eq!(outcome, TemplateOutcome::Created);
    let told = trace.to_string();
    let expected = "index.html: fragment \"list\": 1 fresh\nindex.html: fragment \"seas\": 1 created\nindex.html: page: 1 created";
    assert_eq!(told, expected);
    // An edit back to what was stored before it is not what is served: the edit has outdated that.
    fixture.write("data/seas.json", "[1, 2]");
    assert_eq!(whole(), TemplateOutcome::Created);
    fixture.write("data/seas.json", "[1]");
    assert_eq!(whole(), TemplateOutcome::Created);
    assert_eq!(whole(), TemplateOutcome::Fresh);
}

#[test]
fn an_edit_of_a_template_or_an_include_leaves_the_other_fragments_in_the_cache() {
    let fixture = Fixture::new(&[
        ("templates/_in.html", "in"),
        (
            "templates/index.html",
            "{% cache \"a\" %}{% include \"_in.html\" %}{% endcache %}{% cache \"b\" %}b{% endcache %}",
        ),
    ]);
    let host = host();
    let site = Site::open_with(&fixture.dir, ViewCache::new(&host)).unwrap();
    assert_eq!(rendered(&site, "/").0, "inb");
    for (file, content, text, outcomes) in [
        ("templates/_in.html", "IN", "INb", ["created", "fresh"]),
        (
            "templates/index.html",
            "<{% cache \"a\" %}{% include \"_in.html\" %}{% endcache %}{% cache \"b\" %}B{% endcache %}>",
            "<INB>",
            ["fresh", "created"],
        ),
    ] {
        fixture.write(file, content);
        let expected = ["a", "b"].iter().zip(outcomes);
        let expected =
            expected.map(|(name, outcome)| format!("index.html: fragment {name:?}: 1 {outcome}"));
        assert_eq!(rendered(&site, "/"), (text.to_owned(), expected.collect()));
    }
}

#[test]
fn a_page_varies_by_what_it_uses_of_the_query_and_by_nothing_else() {
    let fixture = Fixture::new(&[
        ("templates/none.html", "none"),
        (
            "templates/one.html",
            "{% include \"_in.html\" %}{{ query?.b | default(value=0) }}",
        ),
        (
            "templates/_in.html",
            "{{ query[\"a\"] | default(value=0) }}",
        ),
        ("templates/all.html", "{{ query | length }}"),
        ("templates/every.html", "{{ __tera_context | length > 0 }}"),
    ]);
    let host = host();
    let site = Site::open_with(&fixture.dir, ViewCache::new(&host)).unwrap();
    let outcomes = |path: &str| {
        let queries: [&[(&str, &str)]; 5] = [
            &[],
            &[("a", "1")],
            &[("c", "1"), ("a", "1")],
            &[("b", "1"), ("a", "1"), ("c", "2")],
            &[("c", "2")],
        ];
        queries.map(|query| {
            let owned = |&(name, value): &(&str, &str)| (name.to_owned(), value.to_owned());
            let query: Vec<_> = query.iter().map(owned).collect();
            let page = site.page(path).unwrap().cached("pages", &query).unwrap();
            page.outcome() == TemplateOutcome::Created
        })
    };
    assert_eq!(outcomes("/none"), [true, false, false, false, false]);
    assert_eq!(outcomes("/one"), [true, true, false, true, false]);
    for path in ["/all", "/every"] {
        assert_eq!(outcomes(path), [true; 5]);
    }
}
