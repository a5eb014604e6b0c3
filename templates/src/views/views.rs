use std::fmt;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use tera::Tera;

use super::error::{ViewError, ViewErrorKind};
use super::followed::Followed;
use super::layout::Layout;
use super::plan::{Plan, Settings};
use super::view::View;
use crate::cache::{ViewCache, ViewFragment};

/// A folder of Tera 2 templates as pages, with a cache for them and for parts of them.
///
/// ```
/// use std::{fs, time::Duration};
///
/// use dogpile::{Host, RegionConfig, TemplatesConfig};
/// use dogpile_templates::{ViewCache, Views};
/// use tera::context;
///
/// # let folder = tempfile::tempdir()?;
/// # let folder = folder.path();
/// fs::write(folder.join("orders.html"), r#"
/// <h1>{{ shop }}</h1>
/// {% for order in orders %}{% cache "row", key=order.id, expiration_time="1h" %}
///   <li>{{ order.id }}: {{ order.text }}</li>
/// {% endcache %}{% endfor %}"#)?;
///
/// let host = Host::builder()
///     .plugin(dogpile_plugin_memory::plugin())
///     .plugin(dogpile_plugin_template_cache::plugin())
///     .region(RegionConfig::on("pages", "memory").expiration_time(Duration::from_secs(60)))
///     .templates(TemplatesConfig::new("template-cache"))
///     .build()?;
/// let views = Views::open(folder, ViewCache::new(&host), |_| {})?;
/// let orders = [serde_json::json!({ "id": 7, "text": "tea" })];
///
/// let page = views.page("orders.html").key(&"my shop");
/// let html = page.render(|| context! { shop => "My shop", orders => &orders })?;
/// assert!(html.contains("<li>7: tea</li>"));
///
/// views.fragment("orders.html", "row")?.part().key(&7).invalidate()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Fragments
///
/// `{% cache "NAME", key=…, expiration_time=…, region=…, tags=[…], when=… %}…{% endcache %}`. The body does not run
/// when its text is in the cache. All arguments but the name may be left out, and are expressions, made on each render:
///
/// - `key`: what the text varies by. A list gives several parts. Whatever the body uses must follow from its key, or be
///   the same for all who see the page: a body that shows the user's name has the user in its key.
/// - `expiration_time`: seconds, or a text such as `"5m"` or `"never"`. `region`: a region's name. `tags`: texts.
///   Without, the page says, else the template cache, else the region.
/// - `when`: where it is false, the body is rendered without the cache.
///
/// A body sees every variable that stands at its place. What is set in it ends with it (so `set_global` is refused but
/// for what the body has set before, to add up in a loop), `loop` is not known in it (set
/// a variable before), and neither are blocks and `super()`; macros' place is taken by components, which may hold
/// cached bodies. The names of a template's fragments differ. Whatever is wrong is told when a page is first rendered,
/// or by [`check`](Self::check), with file, line and remedy.
///
/// # Edits
///
/// Each call looks whether anything changed: an edit is seen by every call that begins after it. Of more than a hundred
/// calls for pages within one tick of the kernel's clock, which is 1 to 10 ms, the later ones rely on the looks of the
/// others: so with tens of thousands of calls a second, an edit is seen by every call that begins in a later tick. The
/// kernel tells, by one short system call however many files there are. Where it cannot (a filesystem that others write too, such as NFS
/// or a folder shared with a virtual machine; no watches left, see `inotify(7)`; a symbolic link that leads nowhere or
/// out of the folder) a call makes a `stat` for each file and folder. Not seen: a filesystem that is mounted on a folder
/// within this one. A relative path is one from the folder that is current when it is opened. A
/// text's key holds the digest of all that it is made of: a page's template with its parents, what it includes and the
/// components that it calls; of a fragment, its body and the same of that. So nothing old is served, and what an edit
/// does not concern stays in the cache. The engine's global context is part of it, as it is when the folder is opened;
/// what else `setup` registers is not: give a region another `value_version` when a filter's results change.
pub struct Views {
    followed: Followed,
}

impl Views {
    /// Opens the folder `dir`, whose files are templates named by their paths; hidden ones are not. `setup` registers
    /// what they can call (filters, functions, tests), each time that an engine is made; the function `cached` is
    /// ours.
    ///
    /// # Errors
    ///
    /// If the folder cannot be read. Broken templates are told by the pages that use them.
    pub fn open(
        dir: impl AsRef<Path>,
        cache: ViewCache,
        setup: impl Fn(&mut Tera) + Send + Sync + 'static,
    ) -> Result<Self, ViewError> {
        let settings = Settings {
            cache,
            has_data: false,
            same: &[],
            apart: &[],
            setup: Box::new(setup),
            globals: OnceLock::new(),
        };
        let followed = Followed::open(dir.as_ref(), Layout::Templates, settings)?;
        Ok(Self { followed })
    }

    /// The cache of these templates.
    pub fn cache(&self) -> &ViewCache {
        &self.followed.settings.cache
    }

    /// The page that `template` renders to, as its files are now. That there is no such template is told by its render.
    pub fn page(&self, template: &str) -> View<'_> {
        View::new(self.cache(), self.plan(template))
    }

    /// A fragment of a template. Region and expiration time are those of its tag, where they are written out there.
    ///
    /// # Errors
    ///
    /// If there is no such template, or it has no such fragment.
    pub fn fragment(&self, template: &str, name: &str) -> Result<ViewFragment, ViewError> {
        let plan = self.plan(template)?;
        let Some((cached, fragment)) = plan.fragment(name) else {
            let names: Vec<String> = plan
                .fragment_names()
                .map(|name| format!("{name:?}"))
                .collect();
            let there_are = if names.is_empty() {
                "It has none".to_owned()
            } else {
                format!("It has {}", names.join(", "))
            };
            return Err(self.error(
                template,
                format!("there is no fragment {name:?} in it"),
                format!("{there_are}: write {{% cache {name:?} %}}…{{% endcache %}}, or correct the name."),
            ));
        };
        Ok(ViewFragment {
            cache: self.cache().clone(),
            template: cached.of.clone(),
            name: name.to_owned(),
            line: fragment.position.line,
            escaping: plan.escaping().into(),
            region: fragment.literals.region.clone(),
            expiration_time: fragment.literals.expiration_time,
        })
    }

    /// Compiles every template without rendering one, and gives what is wrong, each error once: also a region that a tag
    /// names by a literal, and that the host does not have.
    pub fn check(&self) -> Vec<ViewError> {
        self.followed.check()
    }

    /// What works, but probably not as it is meant, each with file, line and remedy:
    ///
    /// - A fragment in a loop that has no key.
    /// - A fragment which uses a variable that its key does not name, in its body, in a fragment within it, or in what it
    ///   includes: everybody sees the text of whoever is first. What the body sets itself and the variables of its loops
    ///   do not count, and neither does what `setup` puts into the engine's global context, which is the same for all. A
    ///   member in the key names the variable: from `key=p.id` follows what `p` is.
    pub fn warnings(&self) -> Vec<ViewError> {
        self.followed.warnings()
    }

    fn plan(&self, template: &str) -> Result<Arc<Plan>, ViewError> {
        self.followed.page(template)?.ok_or_else(|| {
            self.error(
                template,
                "there is no such template",
                "Names are relative to the folder of templates. Correct the name, or create the file.",
            )
        })
    }

    fn error(
        &self,
        template: &str,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) -> ViewError {
        let file = self.followed.dir.join(template);
        ViewError::new(ViewErrorKind::Template, &file, message, remedy)
    }
}

impl fmt::Debug for Views {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Views")
            .field("dir", &self.followed.dir)
            .finish_non_exhaustive()
    }
}
