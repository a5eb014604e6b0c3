//! MiniJinja 3, by `JinjaViews`.

use dogpile_templates::JinjaViews;
use minijinja::value::Serde;
use minijinja::{Environment, Value, context};

use super::Engine;
use super::page::{FILES, Row, TITLE, rows};
use super::stores::Stores;

pub(super) struct MiniJinja {
    env: Environment<'static>,
    ready: Value,
    rows: Vec<Row>,
    views: JinjaViews,
}

impl MiniJinja {
    pub(super) fn new(stores: &Stores) -> Self {
        let mut env = Environment::new();
        for (name, text) in FILES {
            env.add_template(name, text).expect("it is right");
        }
        let views = JinjaViews::new(stores.cache.clone());
        views.add_to(&mut env);
        let rows = rows();
        Self {
            env,
            ready: context(&rows),
            rows,
            views,
        }
    }
}

fn context(rows: &[Row]) -> Value {
    context! { title => TITLE, rows => Serde(rows) }
}

impl Engine for MiniJinja {
    fn name(&self) -> &'static str {
        "MiniJinja"
    }

    fn target(&self) -> f64 {
        500.0
    }

    fn alone(&self) -> usize {
        let template = self.env.get_template("rows.html").expect("it is there");
        template.render(&self.ready).expect("it renders").len()
    }

    fn uncached(&self) -> usize {
        let page = self.views.page(&self.env, "rows.html");
        let page = page.render(|| context(&self.rows));
        page.expect("it renders").len()
    }

    fn cached(&self, region: &'static str) -> usize {
        let page = self.views.page(&self.env, "rows.html");
        let page = page.key(&"ann").region(region);
        let page = page.render(|| context(&self.rows));
        page.expect("it renders").len()
    }
}
