use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use dogpile_templates::{Site, ViewCache};

use crate::support::page;

fn site() -> Site {
    Site::open(&Path::new(env!("CARGO_MANIFEST_DIR")).join("site")).unwrap()
}

fn rendered(site: &Site, address: &str) -> String {
    let (path, query) = address.split_once('?').unwrap_or((address, ""));
    let query: Vec<(String, String)> = query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (decoded(name), decoded(value)))
        .collect();
    page(site, path)
        .render(&query)
        .unwrap_or_else(|error| panic!("{address}: {error}"))
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digits = [rest.next().unwrap(), rest.next().unwrap()];
        let digits = std::str::from_utf8(&digits).unwrap();
        bytes.push(u8::from_str_radix(digits, 16).unwrap());
    }
    String::from_utf8(bytes).unwrap()
}

/// The values of `href`, `src` and `action`, unescaped as HTML.
fn links(html: &str) -> BTreeSet<String> {
    [" href=\"", " src=\"", " action=\""]
        .iter()
        .flat_map(|attribute| html.split(attribute).skip(1))
        .map(|rest| rest.split('"').next().unwrap().replace("&amp;", "&"))
        .collect()
}

#[test]
fn every_page_renders_and_all_links_resolve() {
    let site = site();
    assert!(site.check().is_empty(), "{:?}", site.check());
    let mut open: BTreeSet<String> = site
        .pages()
        .unwrap()
        .iter()
        .map(|page| format!("/{}", page.name().strip_suffix(".html").unwrap()))
        .collect();
    let mut seen: BTreeMap<String, String> = BTreeMap::new();
    while let Some(address) = open.pop_first() {
        let html = rendered(&site, &address);
        assert!(html.starts_with("<!doctype html>"), "{address}");
        assert!(html.trim_end().ends_with("</html>"), "{address}");
        for link in links(&html) {
            if let Some(fragment) = link.strip_prefix('#') {
                assert!(
                    html.contains(&format!("id=\"{fragment}\"")),
                    "{address}: {link}"
                );
            } else if link.starts_with("/static/") {
                assert!(site.static_file(&link).is_some(), "{address}: {link}");
            } else {
                assert!(link.starts_with('/'), "{address}: {link} leads elsewhere");
                // One page of each kind of query is followed; all mountains are.
                let costly = link.starts_with("/distances?") && !link.ends_with("africa");
                if !costly && !seen.contains_key(&link) {
                    open.insert(link);
                }
            }
        }
        seen.insert(address, html);
    }
    let of = |start: &str| seen.keys().filter(|key| key.starts_with(start)).count();
    assert_eq!(of("/mountain?name="), 79);
    for (address, html) in &seen {
        assert!(
            !html.contains("No such mountain") || address == "/mountain",
            "{address}"
        );
        assert!(!html.contains("No mountain fits"), "{address}");
    }
}

#[test]
fn with_a_cache_every_page_is_what_it_is_without() {
    let host = crate::fragments::host();
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("site");
    let cached = Site::open_with(&dir, ViewCache::new(&host)).unwrap();
    assert!(cached.warnings().is_empty(), "{:?}", cached.warnings());
    for address in [
        "/",
        "/mountains",
        "/mountains?continent=asia",
        "/mountain?name=K2",
        "/mountain?name=Denali",
        "/mountain",
        "/distances?continent=africa",
        "/distances?continent=nowhere",
        "/about",
    ] {
        let without = timeless(&rendered(&site(), address));
        for round in 0..2 {
            let with = timeless(&rendered(&cached, address));
            assert_eq!(with, without, "{address}, {round}");
        }
    }
}

/// Without the times of rendering.
fn timeless(html: &str) -> String {
    let mut pieces = html.split("<time");
    let mut text = pieces.next().unwrap().to_owned();
    for piece in pieces {
        text.push_str(piece.split_once("</time>").unwrap().1);
    }
    text
}

#[test]
fn filters_and_sorting_by_the_query_work() {
    let site = site();
    let order = |address: &str, names: &[&str]| {
        let html = rendered(&site, address);
        let at: Vec<_> = names
            .iter()
            .map(|name| html.find(&format!("\">{name}</a></th>")))
            .collect();
        assert!(at.iter().all(Option::is_some), "{address}: {at:?}");
        assert!(at.is_sorted(), "{address}: {at:?}");
        html
    };
    let asia = order(
        "/mountains?continent=asia&sort=height",
        &["Mount Everest", "K2", "Mount Fuji"],
    );
    assert!(!asia.contains("Denali"));
    order("/mountains?sort=name", &["Aconcagua", "Denali", "Toubkal"]);
    order(
        "/mountains?sort=first_ascent",
        &["Ben Nevis", "Mont Blanc", "Denali", "Mauna Kea"],
    );
    let alps = order("/mountains?search=aLPs", &["Mont Blanc", "Matterhorn"]);
    assert!(!alps.contains("Denali"));
}

#[test]
fn a_query_that_nobody_expects_gives_a_page_and_is_escaped() {
    let site = site();
    for path in ["/", "/mountains", "/mountain", "/distances", "/about"] {
        for name in ["continent", "sort", "name", "search", "other"] {
            for value in [
                "",
                "%3Cscript%3E%22%27",
                "nonesuch",
                "%00",
                "%20",
                "9999999999999999999999",
                "%7B%7B%201%20%7D%7D",
            ] {
                let html = rendered(&site, &format!("{path}?{name}={value}"));
                assert!(!html.contains("<script>"), "{path} {name} {value}");
            }
            if path == "/distances" {
                // The rest is not looked at, and would render the same dear page again.
                break;
            }
        }
    }
}

#[test]
fn the_data_are_plausible() {
    let site = Path::new(env!("CARGO_MANIFEST_DIR")).join("site/data");
    let read = |name: &str| -> serde_json::Value {
        serde_json::from_slice(&std::fs::read(site.join(name)).unwrap()).unwrap()
    };
    let (mountains, continents) = (read("mountains.json"), read("continents.json"));
    let slugs: BTreeSet<&str> = continents
        .as_array()
        .unwrap()
        .iter()
        .map(|continent| continent["slug"].as_str().unwrap())
        .collect();
    let mut names = BTreeSet::new();
    for mountain in mountains.as_array().unwrap() {
        let name = mountain["name"].as_str().unwrap();
        assert!(names.insert(name), "{name} is there twice");
        assert!((1000..=8849).contains(&mountain["height"].as_u64().unwrap()));
        assert!(mountain["latitude"].as_f64().unwrap().abs() <= 90.0);
        assert!(mountain["longitude"].as_f64().unwrap().abs() <= 180.0);
        assert!(slugs.contains(mountain["continent"].as_str().unwrap()));
        if let Some(year) = mountain["first_ascent"].as_u64() {
            assert!((1700..=2000).contains(&year), "{name}");
        }
    }
}
