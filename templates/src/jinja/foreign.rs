use minijinja::Value;

/// Whether a value is a macro, or a module of macros. The engine's types for them are its own, but not their names.
pub(super) fn is_macro(value: &Value) -> bool {
    let Some(object) = value.as_object() else {
        return false;
    };
    let name = object.type_name();
    name.starts_with("minijinja::") && (name.ends_with("::Macro") || name.ends_with("::Module"))
}

#[cfg(test)]
mod tests {
    use minijinja::{Environment, context};

    use super::is_macro;

    #[test]
    fn macros_and_modules_are_told_from_other_objects() {
        let mut env = Environment::new();
        env.add_template("ui.html", "{% macro button() %}{% endmacro %}")
            .unwrap();
        env.add_template(
            "a.html",
            "{% import 'ui.html' as ui %}{% from 'ui.html' import button %}{% macro own() %}{% endmacro %}\
             {% set map = {'a': 1} %}{% set list = [1] %}{% set space = namespace() %}",
        )
        .unwrap();
        let template = env.get_template("a.html").unwrap();
        let rendered = template.render_captured(context! {}).unwrap();
        let is_macro = |name| is_macro(&rendered.state().lookup(name).unwrap());
        let names = ["ui", "button", "own", "map", "list", "space", "range"];
        assert_eq!(
            names.map(is_macro),
            [true, true, true, false, false, false, false]
        );
    }
}
