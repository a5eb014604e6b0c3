use std::fmt;
use std::sync::Arc;

use minijinja::value::{Kwargs, Rest};
use minijinja::{Environment, Error, ErrorKind, State, Value};

use super::function;
use super::plan::{Of, Plan};
use super::plans::Plans;
use super::view::JinjaView;
use crate::cache::{ViewCache, ViewFragment};

/// A cache for MiniJinja templates: for whole pages, and for parts of them. The environments are the program's own.
///
/// ```
/// use std::time::Duration;
///
/// use dogpile::{Host, RegionConfig, TemplatesConfig};
/// use dogpile_templates::{JinjaViews, ViewCache};
/// use minijinja::{Environment, context};
///
/// let host = Host::builder()
///     .plugin(dogpile_plugin_memory::plugin())
///     .plugin(dogpile_plugin_template_cache::plugin())
///     .region(RegionConfig::on("pages", "memory").expiration_time(Duration::from_secs(60)))
///     .templates(TemplatesConfig::new("template-cache"))
///     .build()?;
/// let views = JinjaViews::new(ViewCache::new(&host));
///
/// let mut env = Environment::new();
/// env.add_template("orders.html", "
/// <h1>{{ shop }}</h1>
/// {% for order in orders %}{% call cached('row', order.id, expiration_time='1h') %}
///   <li>{{ order.id }}: {{ order.text }}</li>
/// {% endcall %}{% endfor %}")?;
/// views.add_to(&mut env);
///
/// let orders = [context! { id => 7, text => "tea" }];
/// let page = views.page(&env, "orders.html").key(&"my shop");
/// let html = page.render(|| context! { shop => "My shop", orders => &orders })?;
/// assert!(html.contains("<li>7: tea</li>"));
///
/// views.fragment(&env, "orders.html", "row")?.part().key(&7).invalidate()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Fragments
///
/// `{% call cached('NAME', …, expiration_time=…, region=…, tags=[…], when=…) %}…{% endcall %}`, in any render of an
/// environment that [`add_to`](Self::add_to) was called with. The body does not run when its text is in the cache. All
/// arguments but the name may be left out, and are expressions, made on each render:
///
/// - What stands after the name are the parts of the key: what the text varies by. Whatever the body uses must follow
///   from its key, or be the same for all who see the page: a body that shows the user's name has the user in its key.
///   That holds for what other templates `set`, too.
/// - `expiration_time`: seconds, or a text such as `'5m'` or `'never'`. `region`: a region's name. `tags`: texts.
///   Without, the page says, else the template cache, else the region.
/// - `when`: where it is false, the body is rendered without the cache.
///
/// A body is a macro of MiniJinja's: what is included in it sees what the whole render was given, and of what was set
/// since then only what the body itself names.
///
/// Another argument is an error of the template. Whatever else is wrong is logged, with template and line, and the body
/// is rendered without the cache. Bodies borrow from the render, so they are not refreshed in the background: of all who
/// want an expired one, the one that has the lock renders it while the others get the old text.
///
/// # Edits
///
/// Keys hold the digest of all that a text is made of, so nothing old is served, and what an edit does not concern stays
/// in the cache. For a page that is its template, and all that this extends, includes and imports; for a fragment, its
/// template and all that this includes and imports. Each call compares the sources with those that the environment has
/// now: `clear_templates`, another environment of minijinja-autoreload, and the engine's own reloading are all seen, as
/// soon as the engine sees them. The latter costs a `stat` a file of each page and fragment, on hits too; where files are
/// not edited, switch it off: `env.set_auto_reload(false)`.
///
/// What is not seen in the source cannot be known, so it is rendered without the cache, and the log says why: an
/// `include`, `import` or `extends` whose name is an expression and not a text or a list of texts; templates rendered
/// from a string, and fragments whose name is not written out; in a fragment, blocks by `self`, and macros that another
/// template imports; environments with line statements. Filters, functions and globals are not part of a digest: give a
/// region another `value_version` when their results change. Environments in which they differ need views of their own,
/// in regions of their own.
///
/// # Known problems
///
/// A macro of another template that a fragment gets in a list or a map, and not by a name, is not seen: its edits are not.
/// The function `cached` that another template hands on under another name is not known from that: its body shares the
/// text of a fragment of this template that has its name.
#[derive(Clone)]
pub struct JinjaViews(Arc<Inner>);

pub(super) struct Inner {
    pub(super) cache: ViewCache,
    pages: Plans,
    fragments: Plans,
}

impl JinjaViews {
    /// Templates whose texts are in `cache`.
    pub fn new(cache: ViewCache) -> Self {
        Self(Arc::new(Inner {
            cache,
            pages: Plans::new(Of::Page),
            fragments: Plans::new(Of::Fragments),
        }))
    }

    /// Gives an environment the function `cached`. Without, `{% call cached(…) %}` ends a render with an error.
    pub fn add_to(&self, env: &mut Environment<'_>) {
        let views = Arc::clone(&self.0);
        env.add_function(
            "cached",
            move |state: &mut State<'_, '_>, positional: Rest<Value>, named: Kwargs| {
                function::cached(&views, state, positional, &named)
            },
        );
    }

    /// The cache of these templates.
    pub fn cache(&self) -> &ViewCache {
        &self.0.cache
    }

    /// The page that `template` renders to, as it is in `env` now. That there is no such template is told by its render.
    pub fn page<'a>(&'a self, env: &'a Environment<'a>, template: &str) -> JinjaView<'a> {
        let plan = match env.get_template(template) {
            Ok(template) => Ok((self.0.page_of(env, &template), template)),
            Err(error) => {
                self.0.vanished(template);
                Err(error)
            }
        };
        JinjaView::new(&self.0.cache, env, plan)
    }

    /// A fragment of a template. Region and expiration time are those of its call, where they are written out there.
    ///
    /// # Errors
    ///
    /// If there is no such template, or it has no such fragment.
    pub fn fragment(
        &self,
        env: &Environment<'_>,
        template: &str,
        name: &str,
    ) -> Result<ViewFragment, Error> {
        let plan = self.0.fragments_of(env, &env.get_template(template)?);
        let Some((call, _)) = plan.fragments.get(name) else {
            let mut names: Vec<&str> = plan.fragments.keys().map(String::as_str).collect();
            names.sort_unstable();
            let message =
                format!("there is no fragment {name:?} in {template:?}; it has {names:?}");
            return Err(Error::new(ErrorKind::InvalidOperation, message));
        };
        Ok(ViewFragment {
            cache: self.0.cache.clone(),
            template: plan.template.clone(),
            name: name.to_owned(),
            line: call.line,
            escaping: plan.escaping.clone(),
            region: call.region.clone(),
            expiration_time: call.expiration_time,
        })
    }
}

impl Inner {
    fn page_of<'e>(
        &self,
        env: &Environment<'_>,
        template: &minijinja::Template<'e, 'e>,
    ) -> Arc<Plan> {
        let found = self.pages.of(env, template);
        if let Some(before) = &found.before
            && before.template.digest() != found.plan.template.digest()
        {
            let after = Some(&found.plan.template);
            self.cache.template_changed(&before.template, after);
        }
        found.plan
    }

    fn vanished(&self, template: &str) {
        if let Some(plan) = self.pages.forget(template) {
            self.cache.template_changed(&plan.template, None);
        }
    }

    /// What the fragments of a template are made of; what is suspect about them is logged when they are first seen.
    pub(super) fn fragments_of<'e>(
        &self,
        env: &Environment<'_>,
        template: &minijinja::Template<'e, 'e>,
    ) -> Arc<Plan> {
        let found = self.fragments.of(env, template);
        if found.is_new {
            for warning in found.plan.warnings() {
                self.cache.warn(&format_args!("{warning}"));
            }
        }
        found.plan
    }

    /// Whether a macro that may be used in a fragment is of a template that its digest does not hold.
    pub(super) fn uses_foreign_macro(
        &self,
        plan: &Plan,
        fragment: &str,
        state: &State<'_, '_>,
    ) -> bool {
        let is_macro = |name: &&String| {
            let value = state.lookup(name);
            value.is_some_and(|value| super::foreign::is_macro(&value))
        };
        let Some(name) = plan.foreign.iter().find(is_macro) else {
            return false;
        };
        let (template, line) = (
            plan.template.name(),
            plan.fragments
                .get(fragment)
                .map_or(0, |(call, _)| call.line),
        );
        self.cache.warn(&format_args!(
            "{template}:{line}: fragment {fragment:?} is rendered without the cache: the macro `{name}` is another \
             template's; import it in this one"
        ));
        true
    }
}

impl fmt::Debug for JinjaViews {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JinjaViews")
            .field("cache", &self.0.cache)
            .finish_non_exhaustive()
    }
}
