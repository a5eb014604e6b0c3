use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, OnceLock};

use tera::{Context, Tera};

use super::closure::{Closure, Providers, Templates};
use super::compiled::Compiled;
use super::data::{self, DataFiles};
use super::digest::Made;
use super::error::{ViewError, ViewErrorKind};
use super::files::{Body, Content};
use super::fragments::{Cached, Fragment, escaping};
use super::lint::{Given, unnamed};
use super::probe;
use super::scan::DataUse;
use super::sources::Sources;
use crate::cache::{PageOptions, Part, Template, ViewCache};

/// How keys name the engine.
const ENGINE: &str = "tera";

/// All files of a folder, and which template defines a component.
pub(crate) struct Files<'a> {
    pub(crate) templates: &'a Templates,
    pub(crate) providers: &'a Providers,
    pub(crate) data: &'a DataFiles,
}

/// What the pages of a folder have in common.
pub(crate) struct Settings {
    pub(crate) cache: ViewCache,
    /// Whether templates see `data`.
    pub(crate) has_data: bool,
    /// Variables that are the same for all who see a page, or part of the digests.
    pub(crate) same: &'static [&'static str],
    /// Variables whose members do not follow from each other.
    pub(crate) apart: &'static [&'static str],
    /// Registers what templates can call, before there are any.
    pub(crate) setup: Box<dyn Fn(&mut Tera) + Send + Sync>,
    /// See [`globals`](Self::globals).
    pub(crate) globals: OnceLock<String>,
}

impl Settings {
    /// What the engine gives to all pages alike, as text.
    fn globals(&self) -> &str {
        self.globals.get_or_init(|| {
            let globals = probe::globals(&self.setup);
            globals.unwrap_or_else(|error| error.to_string())
        })
    }
}

/// A page: all that it is made of, and the engine compiled from that when it is first rendered.
pub(crate) struct Plan {
    /// What the cache knows it by.
    pub(crate) template: Template,
    /// One for each data file that it uses.
    pub(crate) tags: Arc<[String]>,
    /// What of the query it uses.
    pub(crate) query: DataUse,
    sources: Arc<Sources>,
    /// By what a call names them.
    fragments: Arc<HashMap<String, Cached>>,
    fault: Option<ViewError>,
    settings: Arc<Settings>,
    compiled: OnceLock<Result<Arc<Compiled>, ViewError>>,
}

impl Plan {
    pub(crate) fn new(page: &str, files: &Files<'_>, settings: &Arc<Settings>) -> Self {
        let closure = Closure::of(page, files.templates, files.providers);
        let templates = files.contents(&closure.members);
        let data = files.used(&closure.data);
        let digest = Made {
            of: page,
            templates: &templates,
            missing: &closure.missing,
            data: &data,
            globals: settings.globals(),
        }
        .digest();
        let (mut fragments, mut bodies) = (HashMap::new(), HashMap::new());
        for (name, index, fragment) in all_fragments(&templates) {
            let cached = files.cached((page, settings.globals()), name, fragment);
            bodies.insert(cached.template.clone(), (name.clone(), index));
            fragments.insert(fragment.call_name(name), cached);
        }
        Self {
            template: Template::new(ENGINE, page, digest),
            tags: data::tags(&data),
            query: closure.query,
            sources: Arc::new(Sources {
                page: page.to_owned(),
                templates,
                data,
                bodies,
            }),
            fragments: Arc::new(fragments),
            fault: closure.fault,
            settings: Arc::clone(settings),
            compiled: OnceLock::new(),
        }
    }

    /// What is wrong with the page, as far as it shows without rendering.
    pub(crate) fn check(&self) -> Option<ViewError> {
        self.compiled().err()
    }

    /// Fragments that name a region by a literal with which something is wrong: these are rendered without the cache.
    pub(crate) fn region_faults(
        &self,
        fault: impl Fn(Part<'_>, &str) -> Option<String>,
    ) -> impl Iterator<Item = ViewError> {
        let fragments = all_fragments(&self.sources.templates);
        fragments.filter_map(move |(template, _, fragment)| {
            let region = fragment.literals.region.as_ref()?;
            let cached = self.fragments.get(&fragment.call_name(template))?;
            let part = self.settings.cache.fragment(&cached.of, &cached.name);
            let fault = fault(part, region)?;
            let told = (
                &*fault,
                "Correct the name in the tag, or configure the region.",
            );
            let kind = ViewErrorKind::Template;
            Some(self.sources.placed(kind, template, fragment.position, told))
        })
    }

    /// What works, but probably not as it is meant.
    pub(crate) fn warnings(&self) -> Vec<ViewError> {
        let mut texts = BTreeMap::new();
        let mut warnings = Vec::new();
        for (name, content) in &self.sources.templates {
            if let Body::Template {
                text, extracted, ..
            } = &content.body
            {
                texts.insert(name.as_str(), text.as_str());
                let of_it = extracted.warnings.iter();
                warnings.extend(of_it.map(|warning| self.sources.found(name, warning)));
            }
        }
        // Names are followed as far as the page can be rendered.
        if self.fault.is_none() {
            let mut tera = Tera::new();
            (self.settings.setup)(&mut tera);
            let globals = tera.global_context();
            let given = Given {
                is_same: &|name| self.settings.same.contains(&name) || globals.contains_key(name),
                apart: self.settings.apart,
            };
            let unnamed = unnamed(&texts, &given).into_iter();
            warnings.extend(unnamed.map(|(name, warning)| self.sources.found(name, &warning)));
        }
        warnings
    }

    /// How its text is escaped, as [`Part::escaping`](crate::Part::escaping) has it: by its name, as `setup` says.
    pub(crate) fn escaping(&self) -> &'static str {
        let is_escaped = probe::is_escaped(&self.settings.setup, self.template.name());
        escaping(is_escaped.unwrap_or(true))
    }

    /// A fragment of the template that the page is named by.
    pub(crate) fn fragment(&self, name: &str) -> Option<(&Cached, &Fragment)> {
        let page = self.template.name();
        let mut own = all_fragments(&self.sources.templates)
            .filter(|(template, _, fragment)| *template == page && fragment.name == name);
        let (template, _, fragment) = own.next()?;
        let cached = self.fragments.get(&fragment.call_name(template))?;
        Some((cached, fragment))
    }

    /// The names of the fragments of the template that the page is named by.
    pub(crate) fn fragment_names(&self) -> impl Iterator<Item = &str> {
        let page = self.template.name();
        all_fragments(&self.sources.templates)
            .filter(move |(template, ..)| *template == page)
            .map(|(_, _, fragment)| fragment.name.as_str())
    }

    pub(crate) fn cache(&self) -> &ViewCache {
        &self.settings.cache
    }

    fn compiled(&self) -> Result<&Compiled, ViewError> {
        let compiled = self.compiled.get_or_init(|| match &self.fault {
            Some(fault) => Err(fault.clone()),
            None => Compiled::new(&self.sources, &self.fragments, &self.settings),
        });
        match compiled {
            Ok(compiled) => Ok(compiled),
            Err(error) => Err(error.clone()),
        }
    }

    /// Renders it, on the caller's thread; its fragments may come from the cache.
    pub(crate) fn render(
        &self,
        mut context: Context,
        options: PageOptions,
    ) -> Result<String, ViewError> {
        let compiled = self.compiled()?;
        if let Some(data) = &compiled.data {
            context.insert_value("data", data.clone());
        }
        compiled.render_page(options, &context)
    }
}

impl Files<'_> {
    fn contents(&self, names: &BTreeSet<String>) -> BTreeMap<String, Arc<Content>> {
        let content = |name: &String| (name.clone(), Arc::clone(&self.templates[name].content));
        names.iter().map(content).collect()
    }

    fn used(&self, used: &DataUse) -> BTreeMap<String, Arc<Content>> {
        self.data
            .iter()
            .filter(|(stem, _)| used.has(stem))
            .map(|(stem, tracked)| (stem.clone(), Arc::clone(&tracked.content)))
            .collect()
    }

    /// A fragment of the template `name`, in the engine of `page`. Its digest is over what the fragment alone is made
    /// of: an edit elsewhere does not concern it.
    fn cached(&self, (page, globals): (&str, &str), name: &str, fragment: &Fragment) -> Cached {
        let closure = Closure::of_part(&fragment.references, self.templates, self.providers);
        let data = self.used(&closure.data);
        let digest = Made {
            of: &fragment.text,
            templates: &self.contents(&closure.members),
            missing: &closure.missing,
            data: &data,
            globals,
        }
        .digest();
        Cached {
            // The engine escapes by the end of a template's name, and a page's parts as it does the page.
            template: format!("{}:{page}", fragment.call_name(name)),
            of: Template::new(ENGINE, name, digest),
            name: fragment.name.clone(),
            tags: data::tags(&data),
            position: fragment.position,
            has_key: fragment.has_key,
            key_is_list: fragment.key_is_list,
            names: Arc::new(closure.names),
        }
    }
}

/// All fragments of some templates, each with the name of its template and its place in that.
fn all_fragments(
    templates: &BTreeMap<String, Arc<Content>>,
) -> impl Iterator<Item = (&String, usize, &Fragment)> {
    templates.iter().flat_map(|(name, content)| {
        let fragments = match &content.body {
            Body::Template { extracted, .. } => extracted.fragments.as_slice(),
            Body::Data(_) | Body::Bad(_) => &[],
        };
        let numbered = fragments.iter().enumerate();
        numbered.map(move |(index, fragment)| (name, index, fragment))
    })
}
