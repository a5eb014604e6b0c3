//! Templates as they are written, and what they render to: the first time, and from the cache.

use askama::Template;
use dogpile_templates::ViewCache;
use dogpile_templates::askama::{CachedTemplate, filters};

use crate::support::{Counter, Fixture};

struct Product {
    id: u32,
    name: &'static str,
    tags: Vec<String>,
}

/// With a parent, an include, a macro, a nested template, and fragments in each of them.
#[derive(Template, CachedTemplate)]
#[template(path = "shop/products.html")]
struct Shop<'a> {
    ran: &'a Counter,
    products: &'a [Product],
    badge: Badge<'a>,
}

#[derive(Template, CachedTemplate)]
#[template(path = "shop/badge.html")]
struct Badge<'a> {
    ran: &'a Counter,
    text: &'a str,
}

#[derive(Template, CachedTemplate)]
#[template(path = "shop/list.txt")]
struct List<'a> {
    ran: &'a Counter,
    products: &'a [Product],
}

#[test]
fn a_page_is_the_same_from_the_cache_and_runs_no_body() {
    let (fixture, ran) = (Fixture::new(), Counter::default());
    let ran = &ran;
    let tags = |tags: &[&str]| tags.iter().map(|&tag| tag.to_owned()).collect();
    let product = |id, name, of: &[&str]| Product {
        id,
        name,
        tags: tags(of),
    };
    let products = [
        product(1, "Tea & milk", &["hot"]),
        product(2, "<Cake>", &[]),
    ];
    let products = &products;
    let badge = || Badge {
        ran,
        text: "new & good",
    };
    let html = |cache: &ViewCache| {
        let page = Shop::view(cache).render(|| Shop {
            ran,
            products,
            badge: badge(),
        });
        page.unwrap().into_string()
    };
    let text = |cache: &ViewCache| {
        let page = List::view(cache).render(|| List { ran, products });
        page.unwrap().into_string()
    };
    for cache in [&ViewCache::off(), &fixture.cache] {
        assert_eq!(html(cache), include_str!("snapshots/products.html"));
        assert_eq!(text(cache), include_str!("snapshots/list.txt"));
        assert_eq!(ran.ran(), 8);
    }
    assert_eq!(
        html(&fixture.cache),
        include_str!("snapshots/products.html")
    );
    assert_eq!(text(&fixture.cache), include_str!("snapshots/list.txt"));
    assert_eq!(ran.ran(), 0);
}
