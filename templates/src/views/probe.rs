//! What is asked of an engine by rendering something in it, since it does not tell otherwise.

use dogpile::Argument;
use tera::{Context, Error, Kwargs, State, Tera, TeraResult, Value};

/// What the engine gives to all pages alike, as text.
pub(super) fn globals(setup: &dyn Fn(&mut Tera)) -> TeraResult<String> {
    let mut tera = Tera::new();
    setup(&mut tera);
    tera.register_function("cached", |all: Kwargs, _: &State| {
        let all: Option<Value> = all.get("all")?;
        let text = Argument::new("all", &all).to_text();
        text.map_err(|error| Error::message(error.to_string()))
    });
    tera.render_str("{{ cached(all=__tera_context) }}", &Context::new(), false)
}

/// Whether a template of that name is escaped.
pub(super) fn is_escaped(setup: &dyn Fn(&mut Tera), template: &str) -> TeraResult<bool> {
    let mut tera = Tera::new();
    setup(&mut tera);
    tera.register_function("cached", |_: Kwargs, state: &State| {
        state.autoescaping_enabled()
    });
    tera.add_raw_template(template, "{{ cached() }}")?;
    Ok(tera.render(template, &Context::new())? == "true")
}
