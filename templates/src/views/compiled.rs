use std::any::Any;
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, OnceLock, Weak};

use tera::{Context, Kwargs, Map, State, Tera, Value};

use super::error::{ViewError, ViewErrorKind};
use super::files::Body;
use super::fragments::{Cached, Function};
use super::plan::Settings;
use super::sources::Sources;
use crate::cache::PageOptions;
use crate::cache::scope::{Scope, take_fault};

/// Bytes of stack for the engine, of which only what is used takes memory. It recurses by about 80 KiB a level in a
/// debug build, and templates, blocks and components can be nested deeper than a thread's own stack bears.
const STACK: usize = 64 << 20;

/// A page's engine: all that the page is made of, with its cached bodies as templates of their own.
pub(crate) struct Compiled {
    tera: Tera,
    /// The data files that the page uses; none where there cannot be any.
    pub(crate) data: Option<Value>,
    /// By what a call names them.
    pub(crate) fragments: Arc<HashMap<String, Cached>>,
    sources: Arc<Sources>,
}

impl Compiled {
    pub(crate) fn new(
        sources: &Arc<Sources>,
        fragments: &Arc<HashMap<String, Cached>>,
        settings: &Settings,
    ) -> Result<Arc<Self>, ViewError> {
        let mut texts = Vec::new();
        for (name, content) in &sources.templates {
            match &content.body {
                Body::Template { extracted, .. } => {
                    if let Some(fault) = extracted.faults.first() {
                        return Err(sources.found(name, fault));
                    }
                    texts.push((name.as_str(), extracted.rewritten.text.as_str()));
                    for fragment in &extracted.fragments {
                        let cached = &fragments[&fragment.call_name(name)];
                        texts.push((&cached.template, &fragment.body.text));
                    }
                }
                Body::Bad(error) => return Err(error.clone()),
                Body::Data(_) => {}
            }
        }
        let mut data = Map::new();
        for (stem, content) in &sources.data {
            match &content.body {
                Body::Data(value) => data.insert(stem.clone().into(), value.clone()),
                Body::Bad(error) => return Err(error.clone()),
                Body::Template { .. } => None,
            };
        }
        let engine: Arc<OnceLock<Weak<Self>>> = Arc::default();
        let function = Function {
            engine: Arc::clone(&engine),
            cache: settings.cache.clone(),
        };
        let tera = caught(page_panicked(sources), || {
            let mut tera = Tera::new();
            (settings.setup)(&mut tera);
            tera.register_function("cached", move |kwargs: Kwargs, state: &State| {
                function.call(&kwargs, state)
            });
            let added = tera.add_raw_templates(texts);
            added.map_err(|error| sources.explain(&error))?;
            Ok(tera)
        })?;
        let compiled = Arc::new(Self {
            tera,
            data: settings.has_data.then(|| Value::from(data)),
            fragments: Arc::clone(fragments),
            sources: Arc::clone(sources),
        });
        engine.get_or_init(|| Arc::downgrade(&compiled));
        Ok(compiled)
    }

    /// Renders the page on this thread, with a stack of its own. A panic of the engine or a filter is an error of this
    /// page.
    pub(crate) fn render_page(
        &self,
        options: PageOptions,
        context: &Context,
    ) -> Result<String, ViewError> {
        let _scope = Scope::enter(options);
        self.guarded(|| self.render(&self.sources.page, context))
    }

    /// With enough stack, and with an error in place of a panic.
    pub(crate) fn guarded<T>(
        &self,
        work: impl FnOnce() -> Result<T, ViewError>,
    ) -> Result<T, ViewError> {
        caught(page_panicked(&self.sources), work)
    }

    /// As [`guarded`](Self::guarded), with a panic told at a fragment: who waits for the fragment has that error too.
    pub(crate) fn guarded_in<T>(
        &self,
        cached: &Cached,
        work: impl FnOnce() -> Result<T, ViewError>,
    ) -> Result<T, ViewError> {
        caught(|message| self.error_in(cached, message, PANIC_REMEDY), work)
    }

    pub(crate) fn render(&self, template: &str, context: &Context) -> Result<String, ViewError> {
        let rendered = self.tera.render(template, context);
        rendered.map_err(|error| take_fault().unwrap_or_else(|| self.explain(&error)))
    }

    pub(crate) fn explain(&self, error: &tera::Error) -> ViewError {
        self.sources.explain(error)
    }

    /// Something about a fragment, at its tag.
    pub(crate) fn error_in(&self, cached: &Cached, message: &str, remedy: &str) -> ViewError {
        let (kind, told) = (ViewErrorKind::Render, (message, remedy));
        self.sources
            .placed(kind, cached.of.name(), cached.position, told)
    }
}

const PANIC_REMEDY: &str = "Write the template in another way, and report this.";

fn page_panicked(sources: &Sources) -> impl FnOnce(&str) -> ViewError {
    let page = sources.shown(&sources.page);
    move |message| ViewError::new(ViewErrorKind::Render, &page, message, PANIC_REMEDY)
}

fn caught<T>(
    panicked: impl FnOnce(&str) -> ViewError,
    work: impl FnOnce() -> Result<T, ViewError>,
) -> Result<T, ViewError> {
    // Within another there is enough left for this one.
    let with_stack = || stacker::maybe_grow(STACK / 2, STACK, work);
    // Nothing that is used again is left half-changed: the engine is built whole or not at all, and rendering does not
    // change it.
    let caught = catch_unwind(AssertUnwindSafe(with_stack));
    caught.unwrap_or_else(|panic| {
        Err(panicked(&format!(
            "the template engine panicked: {}",
            panic_message(&*panic)
        )))
    })
}

fn panic_message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("without a message")
}
