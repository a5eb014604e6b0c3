//! Tera 2, by `Views`.

use std::fs;

use dogpile_templates::Views;
use tempfile::TempDir;
use tera::Context;

use super::Engine;
use super::page::{FILES, Row, TITLE, rows};
use super::stores::Stores;

pub(super) struct Tera {
    alone: tera::Tera,
    ready: Context,
    rows: Vec<Row>,
    views: Views,
    _folder: TempDir,
}

impl Tera {
    pub(super) fn new(stores: &Stores) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, text) in FILES {
            fs::write(folder.path().join(name), text).expect("it is written");
        }
        let mut alone = tera::Tera::new();
        alone.add_raw_templates(FILES).expect("they are right");
        let views = Views::open(folder.path(), stores.cache.clone(), |_| {});
        let rows = rows();
        Self {
            alone,
            ready: context(&rows),
            rows,
            views: views.expect("the folder is there"),
            _folder: folder,
        }
    }
}

fn context(rows: &[Row]) -> Context {
    let mut context = Context::new();
    context.insert("title", TITLE);
    context.insert("rows", rows);
    context
}

impl Engine for Tera {
    fn name(&self) -> &'static str {
        "Tera"
    }

    fn target(&self) -> f64 {
        500.0
    }

    fn alone(&self) -> usize {
        let page = self.alone.render("rows.html", &self.ready);
        page.expect("it renders").len()
    }

    fn uncached(&self) -> usize {
        let page = self.views.page("rows.html").render(|| context(&self.rows));
        page.expect("it renders").len()
    }

    fn cached(&self, region: &'static str) -> usize {
        let page = self.views.page("rows.html").key(&"ann").region(region);
        let page = page.render(|| context(&self.rows));
        page.expect("it renders").len()
    }
}
