use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock, Weak};

use dogpile::Expiration;
use dogpile_plugin_api::Scalar;
use tera::{Context, Error, Kwargs, State, TeraResult, Value};

use crate::cache::scope::{self, Level, MAX_DEPTH, Scope};
use crate::cache::{
    EXPIRATION, PageOptions, Part, SAFE_WITHIN, Template, UNDEFINED_WITHIN, ViewCache, expiration,
};
use crate::views::compiled::Compiled;
use crate::views::error::{Position, ViewError};

/// A cached body of one page's engine.
pub(crate) struct Cached {
    /// Under which name the engine has it.
    pub(crate) template: String,
    /// What it is a fragment of, with its own digest.
    pub(crate) of: Template,
    pub(crate) name: String,
    /// One for each data file that it uses.
    pub(crate) tags: Arc<[String]>,
    pub(crate) position: Position,
    pub(crate) has_key: bool,
    pub(crate) key_is_list: bool,
    /// All that it may look up: its own names, and those of what it includes.
    pub(crate) names: Arc<BTreeSet<String>>,
}

/// The function `cached` of an engine.
pub(crate) struct Function {
    /// Set once the engine is whole.
    pub(crate) engine: Arc<OnceLock<Weak<Compiled>>>,
    pub(crate) cache: ViewCache,
}

impl Function {
    pub(crate) fn call(&self, kwargs: &Kwargs, state: &State<'_>) -> TeraResult<Value> {
        let name: &str = kwargs.must_get("template")?;
        let engine = self.engine.get().and_then(Weak::upgrade);
        let engine = engine.ok_or_else(|| Error::message("the page is not there any more"))?;
        let Some(cached) = engine.fragments.get(name) else {
            return Err(Error::message(format!(
                "`cached` has no template {name:?}: write {{% cache \"name\" %}}…{{% endcache %}}"
            )));
        };
        let options = scope::options();
        let mut of = cached.of.clone().cache_enabled(!options.off);
        if let Some(region) = options.region.clone() {
            of = of.region(region);
        }
        if let Some(time) = options.expiration_time {
            of = of.expiration_time(time);
        }
        let region: Option<String> = kwargs.get::<Value>("region")?.as_ref().and_then(text);
        let part = self.cache.fragment(&of, &cached.name);
        let part = arguments(part, cached, kwargs, state)?;
        let part = match &region {
            Some(region) => part.region(region),
            None => part,
        };
        let rendered = if options.background {
            let (depth, name) = (scope::depth(), name.to_owned());
            match engine.context(cached, state) {
                Ok(context) => {
                    let engine = Arc::clone(&engine);
                    let render = move || engine.render_apart(&name, &context, (options, depth));
                    part.get_or_create_background(render)
                }
                Err(error) => Err(error),
            }
        } else {
            part.get_or_create(|| {
                let context = engine.context(cached, state)?;
                engine.render_fragment(cached, &context)
            })
        };
        match rendered {
            Ok(text) => Ok(Value::safe_string(&text)),
            Err(error) => {
                let message = error.message().to_owned();
                scope::fail(error);
                Err(Error::message(message))
            }
        }
    }
}

impl Compiled {
    /// All that a body may look up.
    fn context(&self, cached: &Cached, state: &State<'_>) -> Result<Context, ViewError> {
        let mut context = Context::new();
        for name in &*cached.names {
            match state.get::<Value>(name) {
                Ok(Some(value)) => context.insert_value(name.clone(), value),
                Ok(None) => {}
                Err(error) => return Err(self.explain(&error)),
            }
        }
        Ok(context)
    }

    fn render_fragment(&self, cached: &Cached, context: &Context) -> Result<String, ViewError> {
        let Some(_level) = Level::enter() else {
            let message = format!("fragments render each other more than {MAX_DEPTH} deep");
            let remedy = "End the circle: a component must not call itself within a cached body.";
            return Err(self.error_in(cached, &message, remedy));
        };
        self.guarded_in(cached, || self.render(&cached.template, context))
    }

    /// On whatever thread this is.
    fn render_apart(
        &self,
        name: &str,
        context: &Context,
        (options, depth): (PageOptions, usize),
    ) -> Result<String, ViewError> {
        let _scope = Scope::enter_at(options, depth);
        self.render_fragment(&self.fragments[name], context)
    }
}

/// How keys name a way of escaping.
pub(crate) fn escaping(is_on: bool) -> &'static str {
    if is_on { "html" } else { "none" }
}

/// With what the tag says this time.
fn arguments<'a>(
    mut part: Part<'a>,
    cached: &Cached,
    kwargs: &Kwargs,
    state: &State<'_>,
) -> TeraResult<Part<'a>> {
    part = part
        .line(cached.position.line)
        .tags(cached.tags.iter().cloned());
    part = part.escaping(escaping(state.autoescaping_enabled()));
    if cached.has_key {
        let key = kwargs.get::<Value>("key")?.unwrap_or_else(Value::undefined);
        let parts = match key.as_array() {
            Some(parts) if cached.key_is_list => parts,
            _ => std::slice::from_ref(&key),
        };
        for value in parts {
            part = with_key(part, value);
        }
    }
    if let Some(value) = kwargs.get::<Value>("region")?
        && !value.is_string()
    {
        part = part.without_cache(format!("its region is no text, but {}", value.name()));
    }
    if let Some(value) = kwargs.get::<Value>("expiration_time")? {
        part = match time(&value) {
            Some(time) => part.expiration_time(time),
            None => part.without_cache(format!("{value} is no expiration time. {EXPIRATION}")),
        };
    }
    if let Some(value) = kwargs.get::<Value>("tags")? {
        part = match value.as_array() {
            Some(tags) if !tags.iter().any(is_missing) => {
                part.tags(tags.iter().map(Value::to_string))
            }
            Some(_) => part.without_cache("one of its tags is undefined, or none"),
            None => part.without_cache("its tags are no list: write tags=[\"prices\"]"),
        };
    }
    if let Some(value) = kwargs.get::<Value>("when")? {
        part = part.when(value.is_truthy());
    }
    Ok(part)
}

fn with_key<'a>(part: Part<'a>, value: &Value) -> Part<'a> {
    if is_missing(value) {
        return part.without_cache("a part of its key is missing: it is undefined, or none");
    }
    if value.is_string() {
        // What is not escaped is another text than the same that is.
        let part = part.key(value);
        return if value.is_safe() {
            part.key_text("safe")
        } else {
            part
        };
    }
    match nested_fault(value) {
        Some(why) => part.without_cache(why),
        None => part.key(value),
    }
}

/// Why a list or map cannot be a part of a key, if so: what is in it would be written like something else.
fn nested_fault(value: &Value) -> Option<&'static str> {
    if value.is_undefined() {
        Some(UNDEFINED_WITHIN)
    } else if value.is_string() && value.is_safe() {
        Some(SAFE_WITHIN)
    } else if let Some(values) = value.as_array() {
        values.iter().find_map(nested_fault)
    } else {
        value.as_map()?.values().find_map(nested_fault)
    }
}

fn is_missing(value: &Value) -> bool {
    value.is_undefined() || value.is_none()
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

fn time(value: &Value) -> Option<Expiration> {
    let scalar = match (value.as_str(), value.as_f64()) {
        (Some(text), _) => Scalar::Text(text.to_owned()),
        (None, Some(seconds)) => Scalar::Number(seconds),
        (None, None) => return None,
    };
    expiration(&scalar)
}
