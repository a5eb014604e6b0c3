use std::fmt;
use std::sync::Arc;

use dogpile_plugin_api::TemplateOutcome;
use minijinja::{Environment, Error, Value};

use super::not_stored::{NotStored, error_in};
use super::plan::Plan;
use crate::cache::scope::Scope;
use crate::cache::{PageCall, Part, Rendered, ViewCache, ViewCacheError, page_call_methods};

/// A page of [`JinjaViews`](super::JinjaViews), as its templates were when it was asked for.
///
/// It is rendered each time, with its fragments from the cache, unless [`cached`](Self::cached) or [`key`](Self::key)
/// says that its whole text is to be kept. Region and expiration time are also those of its fragments that name none.
#[must_use = "a view does nothing until one of its calls is made"]
pub struct JinjaView<'a> {
    cache: &'a ViewCache,
    env: &'a Environment<'a>,
    /// An error in a value: it is told by all calls.
    plan: Result<(Arc<Plan>, minijinja::Template<'a, 'a>), Value>,
    call: PageCall<'a>,
}

impl<'a> JinjaView<'a> {
    pub(super) fn new(
        cache: &'a ViewCache,
        env: &'a Environment<'a>,
        plan: Result<(Arc<Plan>, minijinja::Template<'a, 'a>), Error>,
    ) -> Self {
        Self {
            cache,
            env,
            plan: plan.map_err(Value::from),
            call: PageCall::default(),
        }
    }

    page_call_methods!();

    /// The page, from the cache or rendered. `context` is made only if the page is.
    ///
    /// # Errors
    ///
    /// The template's own, with its name and line; it is not cached. Nothing that fails in the cache is one.
    pub fn render<V: Into<Value>>(self, context: impl FnOnce() -> V) -> Result<Rendered, Error> {
        let (plan, template) = self
            .plan
            .as_ref()
            .map_err(|error| error_in(error.clone()))?;
        let rendered = self.part(plan).get_or_create(|| {
            let _scope = Scope::enter(self.call.options());
            let text = template.render(context())?;
            if !self.call.cached || plan.is_current(self.env) {
                Ok(text)
            } else {
                // Something was edited meanwhile: nobody knows which of it is in the text.
                Err(NotStored::Unsure(text.into()))
            }
        });
        match rendered {
            Ok(rendered) => Ok(rendered),
            Err(NotStored::Unsure(text)) => Ok(Rendered::uncached(
                (*text).to_owned(),
                TemplateOutcome::Bypassed,
            )),
            Err(NotStored::Failed(error)) => Err(error_in(error)),
        }
    }

    fn whole(&self) -> Result<Part<'_>, ViewCacheError> {
        match &self.plan {
            Ok((plan, _)) => Ok(self.part(plan)),
            Err(error) => {
                let error = error_in(error.clone());
                Err(ViewCacheError::MiniJinja(Arc::new(error)))
            }
        }
    }

    fn part<'s>(&'s self, plan: &'s Plan) -> Part<'s> {
        let part = self.call.part(self.cache, &plan.template);
        let part = part.escaping(&plan.escaping);
        match &plan.fault {
            Some(why) => part.without_cache(why.clone()),
            None => part,
        }
    }
}

impl fmt::Debug for JinjaView<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let template = self.plan.as_ref().map(|(plan, _)| plan.template.name());
        f.debug_struct("JinjaView")
            .field("template", &template)
            .field("call", &self.call)
            .finish_non_exhaustive()
    }
}
