use std::fmt;
use std::sync::Arc;

use tera::Context;

use super::apart::apart;
use super::error::ViewError;
use super::plan::Plan;
use crate::cache::{PageCall, Part, Rendered, ViewCache, ViewCacheError, page_call_methods};

/// A page of [`Views`](super::Views), as its files were when it was asked for.
///
/// It is rendered each time, with its fragments from the cache, unless [`cached`](Self::cached) or [`key`](Self::key)
/// says that its whole text is to be kept. Region and expiration time are also those of its fragments that name none.
#[must_use = "a view does nothing until one of its calls is made"]
pub struct View<'a> {
    cache: &'a ViewCache,
    plan: Result<Arc<Plan>, ViewError>,
    call: PageCall<'a>,
}

impl<'a> View<'a> {
    pub(super) fn new(cache: &'a ViewCache, plan: Result<Arc<Plan>, ViewError>) -> Self {
        Self {
            cache,
            plan,
            call: PageCall::default(),
        }
    }

    page_call_methods!();

    /// The page, from the cache or rendered, on this thread. `context` is made only if the page is.
    ///
    /// # Errors
    ///
    /// The template's own, with file and line; it is not cached. Nothing that fails in the cache is one.
    pub fn render(self, context: impl FnOnce() -> Context) -> Result<Rendered, ViewError> {
        let plan = self.plan.as_ref().map_err(ViewError::clone)?;
        let render = || plan.render(context(), self.call.options());
        self.part(plan).get_or_create(render)
    }

    /// As [`render`](Self::render), with a `context` that may be made on another thread: where the region has
    /// `background_refresh` (or `early_refresh`) an expired page that may still be served is returned at once, and the
    /// new one is made on a thread of the host's, once for all callers, its context too.
    ///
    /// The same holds for its fragments in such regions, whatever the page's is: for each of them the variables that
    /// its body may use are taken before it is looked for, which costs a hit a little.
    ///
    /// # Errors
    ///
    /// As there; what goes wrong on another thread is logged by the host.
    pub fn render_background(
        mut self,
        context: impl FnOnce() -> Context + Send + 'static,
    ) -> Result<Rendered, ViewError> {
        self.call.background = true;
        let plan = self.plan.as_ref().map_err(ViewError::clone)?;
        let (own, options) = (Arc::clone(plan), self.call.options());
        let render = move || own.render(context(), options);
        self.part(plan).get_or_create_background(render)
    }

    /// As [`render`](Self::render), for tasks, on every runtime: of many who want a missing page one polls `context` and
    /// has the page rendered on a thread of its own; the others await it. So no thread of the runtime waits or renders.
    /// There are as many such threads as pages that are rendered at a time: of each key one.
    ///
    /// If the future of the one that renders is dropped, the next does.
    ///
    /// ```
    /// # use dogpile_templates::{ViewError, Views};
    /// # use tera::context;
    /// async fn page(views: &Views, user: u64) -> Result<String, ViewError> {
    ///     let page = views.page("orders.html").key(&user);
    ///     let html = page.render_async(|| async move { context! { user => &user } });
    ///     Ok(html.await?.into_string())
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// As there, or that there is no thread to be had.
    pub async fn render_async<F: Future<Output = Context>>(
        self,
        context: impl FnOnce() -> F,
    ) -> Result<Rendered, ViewError> {
        let plan = self.plan.as_ref().map_err(ViewError::clone)?;
        let render = || async {
            let (own, options, context) = (Arc::clone(plan), self.call.options(), context().await);
            let render = move || own.render(context, options);
            apart(plan.template.name(), render).await
        };
        self.part(plan).get_or_create_async(render).await
    }

    fn whole(&self) -> Result<Part<'_>, ViewCacheError> {
        match &self.plan {
            Ok(plan) => Ok(self.part(plan)),
            Err(error) => Err(ViewCacheError::View(error.clone())),
        }
    }

    fn part<'s>(&'s self, plan: &'s Plan) -> Part<'s> {
        self.call.part(self.cache, &plan.template)
    }
}

impl fmt::Debug for View<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let template = self.plan.as_ref().map(|plan| plan.template.name());
        f.debug_struct("View")
            .field("template", &template)
            .field("cached", &self.call.cached)
            .finish_non_exhaustive()
    }
}
