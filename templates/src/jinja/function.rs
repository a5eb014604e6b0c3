use minijinja::value::{Kwargs, Rest};
use minijinja::{AutoEscape, Environment, Error, State, Value};

use super::arguments::Arguments;
use super::not_stored::{NotStored, error_in};
use super::plan::{ENGINE, Plan, escaping};
use super::views::Inner;
use crate::cache::{Part, Template, scope};

/// Bytes of stack that a body has at least, and how many it gets where there are less. The engine ends a recursion after
/// so many levels that they fit on a thread's stack; what is between two bodies is not counted by it.
const LEAST_STACK: usize = 1 << 20;
const STACK: usize = 4 << 20;

/// `cached(…)` in a template.
pub(super) fn cached(
    views: &Inner,
    state: &mut State<'_, '_>,
    positional: Rest<Value>,
    named: &Kwargs,
) -> Result<Value, Error> {
    let arguments = Arguments::read(positional, named)?;
    let env = state.env();
    let plan = running(state).map(|template| views.fragments_of(env, &template));
    let mut template = match &plan {
        Some(plan) => plan.template.clone(),
        None => Template::new(ENGINE, state.name(), ""),
    };
    let options = scope::options();
    template = template.cache_enabled(!options.off);
    if let Some(region) = options.region {
        template = template.region(region);
    }
    if let Some(time) = options.expiration_time {
        template = template.expiration_time(time);
    }
    let escaping = escaping(state.auto_escape());
    let part = views.cache.fragment(&template, arguments.name());
    let part = placed(part.escaping(&escaping), arguments.name(), plan.as_deref());
    let part = arguments.part(part);
    let rendered = part.get_or_create(|| {
        let text = body(&arguments, state)?;
        let is_unsure = plan.as_deref().is_some_and(|plan| {
            plan.fault.is_none()
                && (!plan.is_current(env)
                    || views.uses_foreign_macro(plan, arguments.name(), state))
        });
        if is_unsure {
            Err(NotStored::Unsure(text.into()))
        } else {
            Ok(text)
        }
    });
    let text = match rendered {
        Ok(rendered) => rendered.into_string(),
        Err(NotStored::Unsure(text)) => (*text).to_owned(),
        Err(NotStored::Failed(error)) => return Err(error_in(error)),
    };
    Ok(match state.auto_escape() {
        AutoEscape::None => Value::from(text),
        _ => Value::from_safe_string(text),
    })
}

/// The template that is being rendered, if it is the one of its name that the environment has: not one from a string, or
/// one that was edited since it was begun.
fn running<'e>(state: &State<'_, 'e>) -> Option<minijinja::Template<'e, 'e>> {
    let env: &'e Environment<'e> = state.env();
    let template = env.get_template(state.name()).ok()?;
    // Each state of a template has a name of its own in memory, which is there while the template is being rendered.
    std::ptr::eq(template.name(), state.name()).then_some(template)
}

/// With what the template says of it, and why it cannot be cached, if so.
fn placed<'a>(part: Part<'a>, name: &str, plan: Option<&Plan>) -> Part<'a> {
    let Some(plan) = plan else {
        return part.without_cache(
            "its template is not the one of that name in the environment: it is rendered from a string, or was edited \
             meanwhile",
        );
    };
    let Some((call, second)) = plan.fragments.get(name) else {
        return part.without_cache(
            "its name is not written out in its template: write {% call cached('row', item.id) %}",
        );
    };
    let mut part = part.line(call.line);
    if let Some(line) = second {
        part = part.without_cache(format!(
            "line {line} has another fragment of that name: give them different names"
        ));
    }
    if let Some(line) = call.block {
        part = part.without_cache(format!(
            "line {line} uses `self`, whose blocks are not the same in all pages: set a variable to the block before, \
             and name that in the key"
        ));
    }
    match &plan.fault {
        Some(why) => part.without_cache(why.clone()),
        None => part,
    }
}

fn body(arguments: &Arguments, state: &mut State<'_, '_>) -> Result<String, Error> {
    let text = stacker::maybe_grow(LEAST_STACK, STACK, || arguments.body.call(state, &[]))?;
    Ok(text.to_string())
}
