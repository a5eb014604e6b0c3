//! A folder of templates, and a host to cache them.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use dogpile::{Clock, Host, ManualClock, RegionConfig, TemplatesConfig};
use dogpile_templates::{ViewCache, Views};
use tempfile::TempDir;
use tera::{Context, Kwargs, State};

pub(crate) struct Fixture {
    folder: TempDir,
    pub(crate) host: Host,
    pub(crate) clock: ManualClock,
    pub(crate) views: Views,
    ran: Arc<AtomicUsize>,
}

impl Fixture {
    /// With the function `count()`, which gives nothing and counts how often it is called, the filter `fail`, and the
    /// filter `panic`. A text is fresh for 100 seconds in the regions `pages`, `other` and `background`, the
    /// last of which has `background_refresh`.
    pub(crate) fn new(files: &[(&str, &str)]) -> Self {
        let folder = TempDir::new().unwrap();
        for (name, content) in files {
            write(folder.path().join(name), content);
        }
        let (clock, hand) = Clock::manual(1_700_000_000_000_000_000);
        let region =
            |name| RegionConfig::on(name, "memory").expiration_time(Duration::from_secs(100));
        let host = Host::builder()
            .plugin(dogpile_plugin_memory::plugin())
            .plugin(dogpile_plugin_template_cache::plugin())
            .region(region("pages"))
            .region(region("other"))
            .region(region("background").background_refresh())
            .templates(TemplatesConfig::new("template-cache"))
            .clock(clock)
            .build()
            .unwrap();
        let ran = Arc::<AtomicUsize>::default();
        let runs = Arc::clone(&ran);
        let views = Views::open(folder.path(), ViewCache::new(&host), move |tera| {
            let runs = Arc::clone(&runs);
            tera.register_function("count", move |_: Kwargs, _: &State| {
                runs.fetch_add(1, Ordering::SeqCst);
                ""
            });
            tera.register_filter("fail", |_: tera::Value, _: Kwargs, _: &State| {
                Err::<String, _>(tera::Error::message("as told"))
            });
            tera.register_filter("panic", |text: &str, _: Kwargs, _: &State| -> String {
                panic!("{text}")
            });
        })
        .unwrap();
        Self {
            folder,
            host,
            clock: hand,
            views,
            ran,
        }
    }

    pub(crate) fn dir(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn write(&self, name: &str, content: &str) {
        write(self.folder.path().join(name), content);
    }

    pub(crate) fn remove(&self, name: &str) {
        fs::remove_file(self.folder.path().join(name)).unwrap();
    }

    /// How often `count()` was called since this was asked last.
    pub(crate) fn ran(&self) -> usize {
        self.ran.swap(0, Ordering::SeqCst)
    }

    /// The page, rendered with its fragments from the cache.
    #[track_caller]
    pub(crate) fn render(&self, template: &str, context: &Context) -> String {
        let page = self.views.page(template).render(|| context.clone());
        page.unwrap_or_else(|error| panic!("{error}")).into_string()
    }

    /// Why the page cannot be rendered.
    #[track_caller]
    pub(crate) fn error(&self, template: &str) -> String {
        let page = self.views.page(template).render(Context::new);
        page.expect_err("it is broken").to_string()
    }
}

fn write(path: PathBuf, content: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}
