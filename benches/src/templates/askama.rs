//! Askama 0.16, by `CachedTemplate`.

use askama::Template;
use dogpile_templates::ViewCache;
use dogpile_templates::askama::CachedTemplate;

use super::Engine;
use super::page::{Row, TITLE, rows};
use super::stores::Stores;

#[derive(Template, CachedTemplate)]
#[template(path = "rows.html")]
struct Rows<'a> {
    title: &'a str,
    rows: &'a [Row],
}

impl<'a> Rows<'a> {
    fn new(rows: &'a [Row]) -> Self {
        Self { title: TITLE, rows }
    }
}

pub(super) struct Askama {
    rows: Vec<Row>,
    cache: ViewCache,
}

impl Askama {
    pub(super) fn new(stores: &Stores) -> Self {
        Self {
            rows: rows(),
            cache: stores.cache.clone(),
        }
    }
}

impl Engine for Askama {
    fn name(&self) -> &'static str {
        "Askama"
    }

    fn target(&self) -> f64 {
        100.0
    }

    fn alone(&self) -> usize {
        Rows::new(&self.rows).render().expect("it renders").len()
    }

    fn uncached(&self) -> usize {
        let page = Rows::view(&self.cache).render(|| Rows::new(&self.rows));
        page.expect("it renders").len()
    }

    fn cached(&self, region: &'static str) -> usize {
        let page = Rows::view(&self.cache).key(&"ann").region(region);
        let page = page.render(|| Rows::new(&self.rows));
        page.expect("it renders").len()
    }
}
