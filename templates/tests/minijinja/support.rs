//! An environment of templates, and a host to cache them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use dogpile::{Clock, Host, ManualClock, RegionConfig, TemplatesConfig};
use dogpile_templates::{JinjaViews, ViewCache};
use minijinja::{Environment, Error, ErrorKind, Value};

pub(crate) struct Fixture {
    pub(crate) env: Environment<'static>,
    pub(crate) host: Host,
    pub(crate) clock: ManualClock,
    pub(crate) views: JinjaViews,
    ran: Arc<AtomicUsize>,
}

impl Fixture {
    /// With the function `count()`, which gives nothing and counts how often it is called, the filter `fail`, and the
    /// filter `panic`. A text is fresh for 100 seconds in the regions `pages` and `other`.
    pub(crate) fn new(templates: &[(&str, &str)]) -> Self {
        let (clock, hand) = Clock::manual(1_700_000_000_000_000_000);
        let region =
            |name| RegionConfig::on(name, "memory").expiration_time(Duration::from_secs(100));
        let host = Host::builder()
            .plugin(dogpile_plugin_memory::plugin())
            .plugin(dogpile_plugin_template_cache::plugin())
            .region(region("pages"))
            .region(region("other"))
            .templates(TemplatesConfig::new("template-cache"))
            .clock(clock)
            .build()
            .unwrap();
        let views = JinjaViews::new(ViewCache::new(&host));
        let ran = Arc::<AtomicUsize>::default();
        let mut fixture = Self {
            env: Environment::new(),
            host,
            clock: hand,
            views,
            ran,
        };
        fixture.env = fixture.another_env();
        for (name, source) in templates {
            fixture.write(name, source);
        }
        fixture
    }

    /// An environment without templates, with all that the fixture's has.
    pub(crate) fn another_env(&self) -> Environment<'static> {
        let mut env = Environment::new();
        let runs = Arc::clone(&self.ran);
        env.add_function("count", move || {
            runs.fetch_add(1, Ordering::SeqCst);
            ""
        });
        env.add_filter("fail", |_: Value| -> Result<Value, Error> {
            Err(Error::new(ErrorKind::InvalidOperation, "as told"))
        });
        env.add_filter("panic", |text: String| -> String { panic!("{text}") });
        self.views.add_to(&mut env);
        env
    }

    /// Puts a template into the environment, in place of one that has its name.
    #[track_caller]
    pub(crate) fn write(&mut self, name: &str, source: &str) {
        self.env
            .add_template_owned(name.to_owned(), source.to_owned())
            .unwrap();
    }

    /// How often `count()` was called since this was asked last.
    pub(crate) fn ran(&self) -> usize {
        self.ran.swap(0, Ordering::SeqCst)
    }

    /// The template rendered by the engine, with its fragments from the cache.
    #[track_caller]
    pub(crate) fn render(&self, template: &str, context: Value) -> String {
        let template = self.env.get_template(template).unwrap();
        template
            .render(context)
            .unwrap_or_else(|error| panic!("{error:#}"))
    }

    /// Why the template cannot be rendered.
    #[track_caller]
    pub(crate) fn error(&self, template: &str) -> Error {
        let template = self.env.get_template(template).unwrap();
        template.render(()).expect_err("it is broken")
    }
}

#[track_caller]
pub(crate) fn contains(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "no {part:?} in:\n{text}");
    }
}
