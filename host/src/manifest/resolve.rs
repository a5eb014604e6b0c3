//! Which plugin offers what a region names.

/// Why a name leads to no single plugin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unresolved {
    /// What is wrong.
    pub message: String,
    /// What would be right.
    pub remedy: String,
}

/// The place in `plugins` of the one that offers the `what` (`"backend"`, `"key mangler"`) named `name`: any, or the
/// one named `plugin`. Each of `plugins` is its name and what it offers of that kind.
///
/// # Errors
///
/// If none does, or several do, with those that there are.
pub fn resolve(
    what: &str,
    plugin: Option<&str>,
    name: &str,
    plugins: &[(&str, Vec<&str>)],
) -> Result<usize, Unresolved> {
    let offering = || plugins.iter().filter(|(_, offers)| offers.contains(&name));
    let is_it = |candidate: &(&str, Vec<&str>)| {
        candidate.1.contains(&name) && plugin.is_none_or(|plugin| plugin == candidate.0)
    };
    let found: Vec<usize> = (0..plugins.len())
        .filter(|&index| is_it(&plugins[index]))
        .collect();
    let (message, remedy) = match (&found[..], plugin) {
        (&[index], _) => return Ok(index),
        ([], Some(plugin)) => {
            let spelled = offering().map(|(other, _)| format!("{other}/{name}"));
            let elsewhere = quoted(spelled, " or ");
            let elsewhere = match elsewhere.as_str() {
                "" => String::new(),
                elsewhere => format!("; there is {elsewhere}"),
            };
            match plugins.iter().find(|(known, _)| *known == plugin) {
                Some((_, offers)) => {
                    let offers = match quoted(offers.iter(), ", ") {
                        none if none.is_empty() => format!("no {what} at all"),
                        some => some,
                    };
                    (
                        format!("plugin `{plugin}` offers no {what} `{name}`"),
                        format!("it offers {offers}{elsewhere}"),
                    )
                }
                None => (
                    format!("there is no plugin `{plugin}`, which is to offer the {what} `{name}`"),
                    format!("list it under [plugins]{elsewhere}"),
                ),
            }
        }
        ([], None) => {
            let known = quoted(plugins.iter().flat_map(|(_, offers)| offers), ", ");
            let known = if known.is_empty() {
                format!(": none that is there offers any {what}")
            } else {
                format!("; there are {known}")
            };
            (
                format!("no plugin offers the {what} `{name}`"),
                format!(
                    "list a plugin that offers it under [plugins], or link one in with `plugin()`{known}"
                ),
            )
        }
        _ => {
            let spelled = offering().map(|(plugin, _)| format!("{plugin}/{name}"));
            (
                format!("several plugins offer the {what} `{name}`"),
                format!("say which: {}", quoted(spelled, " or ")),
            )
        }
    };
    Err(Unresolved { message, remedy })
}

fn quoted(names: impl Iterator<Item: std::fmt::Display>, between: &str) -> String {
    let quoted: Vec<String> = names.map(|name| format!("`{name}`")).collect();
    quoted.join(between)
}

#[cfg(test)]
mod tests {
    use super::resolve;

    fn told(plugin: Option<&str>, name: &str) -> String {
        let plugins = [
            ("memory", vec!["memory"]),
            ("null", vec!["null", "dup"]),
            ("other", vec!["dup"]),
            ("manglers", vec![]),
        ];
        match resolve("backend", plugin, name, &plugins) {
            Ok(index) => plugins[index].0.to_owned(),
            Err(unresolved) => format!("{}; {}", unresolved.message, unresolved.remedy),
        }
    }

    #[test]
    fn a_name_leads_to_one_plugin_or_to_those_that_there_are() {
        assert_eq!(told(None, "memory"), "memory");
        assert_eq!(told(Some("other"), "dup"), "other");
        assert_eq!(
            told(None, "dup"),
            "several plugins offer the backend `dup`; say which: `null/dup` or `other/dup`"
        );
        assert_eq!(
            told(Some("null"), "memory"),
            "plugin `null` offers no backend `memory`; it offers `null`, `dup`; there is `memory/memory`"
        );
        assert_eq!(
            told(Some("manglers"), "x"),
            "plugin `manglers` offers no backend `x`; it offers no backend at all"
        );
        assert_eq!(
            told(Some("redis"), "x"),
            "there is no plugin `redis`, which is to offer the backend `x`; list it under [plugins]"
        );
        assert!(told(None, "x").ends_with("; there are `memory`, `null`, `dup`, `dup`"));
    }
}
