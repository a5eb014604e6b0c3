use std::borrow::Cow;

use dogpile_plugin_api::Scalar;
use minijinja::value::{Kwargs, Rest, ValueKind};
use minijinja::{Error, ErrorKind, Value};

use crate::cache::{EXPIRATION, Part, SAFE_WITHIN, UNDEFINED_WITHIN, expiration};

/// What `cached` is called with, beside its name, the parts of the key, and its body.
const KNOWN: [&str; 4] = ["expiration_time", "region", "tags", "when"];

/// The arguments of one call of `cached`.
pub(super) struct Arguments {
    name: Value,
    pub(super) body: Value,
    key: Vec<Value>,
    pub(super) region: Option<Value>,
    expiration_time: Option<Value>,
    tags: Option<Value>,
    when: Option<Value>,
}

impl Arguments {
    /// Reads them; the engine adds template and line to an error.
    pub(super) fn read(positional: Rest<Value>, named: &Kwargs) -> Result<Self, Error> {
        let mut positional = positional.0.into_iter();
        let name = positional.next().unwrap_or_default();
        if name.as_str().is_none_or(str::is_empty) {
            return Err(wrong("this call of `cached` has no name"));
        }
        for argument in named.args() {
            if argument != "caller" && !KNOWN.contains(&argument) {
                return Err(unknown(argument));
            }
        }
        if !named.has("caller") {
            return Err(wrong("this call of `cached` has no body"));
        }
        let argument = |name| named.peek::<Option<Value>>(name).ok().flatten();
        Ok(Self {
            name,
            body: named.peek("caller")?,
            key: positional.collect(),
            region: argument("region"),
            expiration_time: argument("expiration_time"),
            tags: argument("tags"),
            when: argument("when"),
        })
    }

    pub(super) fn name(&self) -> &str {
        self.name.as_str().unwrap_or_default()
    }

    /// The part, as the call says.
    pub(super) fn part<'a>(&'a self, mut part: Part<'a>) -> Part<'a> {
        for value in &self.key {
            part = with_key(part, value);
        }
        if let Some(region) = &self.region {
            part = match region.as_str() {
                Some(region) => part.region(region),
                None => part.without_cache(format!("its region is no text, but {}", region.kind())),
            };
        }
        if let Some(value) = &self.expiration_time {
            part = match time(value).as_ref().and_then(expiration) {
                Some(time) => part.expiration_time(time),
                None => part.without_cache(format!("{value} is no expiration time. {EXPIRATION}")),
            };
        }
        if let Some(value) = &self.tags {
            part = with_tags(part, value);
        }
        match &self.when {
            Some(when) => part.when(when.is_true()),
            None => part,
        }
    }
}

fn with_key<'a>(part: Part<'a>, value: &Value) -> Part<'a> {
    match (value.kind(), value.as_str()) {
        (ValueKind::Undefined | ValueKind::None, _) => {
            part.without_cache("a part of its key is missing: it is undefined, or none")
        }
        // What is not escaped is another text than the same that is.
        (_, Some(text)) if value.is_safe() => part.key(&text).key_text("safe"),
        (kind, _) if is_opaque(kind) => {
            part.without_cache(format!("a part of its key cannot be one: it is a {kind}"))
        }
        _ => match nested_fault(value) {
            Some(why) => part.without_cache(why),
            None => part.key(value),
        },
    }
}

/// Whether different values of a kind may be written alike.
fn is_opaque(kind: ValueKind) -> bool {
    matches!(
        kind,
        ValueKind::Plain | ValueKind::Iterable | ValueKind::Invalid
    )
}

/// Why a list or map cannot be a part of a key, if so: what is in it would be written like something else.
fn nested_fault(value: &Value) -> Option<Cow<'static, str>> {
    match value.kind() {
        ValueKind::Undefined => Some(UNDEFINED_WITHIN.into()),
        ValueKind::String if value.is_safe() => Some(SAFE_WITHIN.into()),
        ValueKind::Seq => value.try_iter().ok()?.find_map(|one| nested_fault(&one)),
        ValueKind::Map => {
            let mut keys = value.try_iter().ok()?;
            keys.find_map(|key| nested_fault(&value.get_item(&key).ok()?))
        }
        kind if is_opaque(kind) => Some(format!("in a list or map of its key is a {kind}").into()),
        _ => None,
    }
}

fn with_tags<'a>(part: Part<'a>, value: &Value) -> Part<'a> {
    let tags: Option<Vec<Value>> = match value.kind() {
        ValueKind::Seq => value.try_iter().ok().map(Iterator::collect),
        _ => None,
    };
    let missing = |tag: &Value| tag.is_undefined() || tag.is_none();
    match tags {
        Some(tags) if tags.iter().any(missing) => {
            part.without_cache("one of its tags is undefined, or none")
        }
        Some(tags) => part.tags(tags.iter().map(Value::to_string)),
        None => part.without_cache("its tags are no list: write tags=['prices']"),
    }
}

fn time(value: &Value) -> Option<Scalar> {
    if let Some(text) = value.as_str() {
        return Some(Scalar::Text(text.to_owned()));
    }
    match value.kind() {
        ValueKind::Number => f64::try_from(value.clone()).ok().map(Scalar::Number),
        _ => None,
    }
}

fn wrong(what: &str) -> Error {
    let example = "write {% call cached('row', item.id, expiration_time=60) %}…{% endcall %}";
    Error::new(ErrorKind::InvalidOperation, format!("{what}; {example}"))
}

fn unknown(argument: &str) -> Error {
    let near = KNOWN
        .into_iter()
        .map(|known| (strsim::osa_distance(argument, known), known))
        .min()
        .filter(|(distance, _)| *distance <= (argument.chars().count() / 3).max(1));
    let remedy = match near {
        Some((_, known)) => format!("did you mean `{known}`?"),
        None if argument == "key" => "write its parts after the name".to_owned(),
        None => format!("it has {}", KNOWN.join(", ")),
    };
    let what = format!("`cached` has no argument `{argument}`: {remedy}");
    Error::new(ErrorKind::TooManyArguments, what)
}
