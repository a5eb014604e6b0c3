use dogpile_plugin_api::{Error as PluginError, ErrorKind as PluginErrorKind};
use serde_json::{Map, Value};

use super::{Refusals, Refused};
use crate::ErrorKind;
use crate::arguments::typed;
use crate::instance::Recipe;
use crate::loader::OpenError;
use crate::manifest::Unresolved;
use crate::secrets::without_secrets;

/// Where in a configuration something is named that a plugin offers, and where its arguments are.
pub(super) struct Place<'a> {
    pub(super) named: &'a [&'a str],
    pub(super) given: &'a [&'a str],
}

impl Place<'_> {
    /// The arguments as the plugin wants them.
    pub(super) fn typed(
        &self,
        interpolated: impl Fn(&[String]) -> bool,
        given: &Map<String, Value>,
        schema: Option<&Value>,
    ) -> Map<String, Value> {
        typed(given, schema, |path| {
            let above = self.given.iter().map(|&part| part.to_owned());
            let path: Vec<String> = above.chain(path.iter().cloned()).collect();
            interpolated(&path)
        })
    }

    pub(super) fn unresolved(&self, error: Unresolved) -> Refused {
        Refused::unresolved(self.named, error)
    }

    pub(super) fn not_opened(&self, recipe: &Recipe<'_>, error: OpenError) -> Refusals {
        self.failed(recipe, error, "did not open")
    }

    /// An open backend was asked to take on other arguments.
    pub(super) fn not_taken_on(&self, recipe: &Recipe<'_>, error: OpenError) -> Refusals {
        self.failed(recipe, error, "did not take on its new arguments")
    }

    fn failed(&self, recipe: &Recipe<'_>, error: OpenError, what: &str) -> Refusals {
        let whose = format!("`{}` of {}", recipe.name, recipe.plugin);
        let (code, may_pass) = (error.code(), error.may_pass());
        let refused = |place, message, remedy: &str| {
            let refused = Refused::new(ErrorKind::Plugin, place, message, remedy.to_owned());
            Refusals::from(refused.with_code(code).of_outside(may_pass))
        };
        let error = match error {
            OpenError::Failed(error) => error,
            other => {
                let message = format!("{whose} {what}");
                return refused(self.given, message, &other.to_string());
            }
        };
        let error = error.map_messages(|text| without_secrets(text, &recipe.arguments));
        match error.kind() {
            PluginErrorKind::Arguments => {
                let each = error
                    .all()
                    .map(|error| self.refused_argument(recipe, &error));
                Refusals(each.collect())
            }
            PluginErrorKind::Panic => refused(
                self.named,
                format!("{whose} {what}: it {}", error.message()),
                "the fault is the plugin's: replace its file, or use another",
            ),
            _ => {
                let mut refused = Refused::new(
                    ErrorKind::Plugin,
                    self.given,
                    format!("{whose} {what}: {error}"),
                    "mend what it says, or use another".to_owned(),
                );
                refused.source = Some(error);
                refused.with_code(code).of_outside(may_pass).into()
            }
        }
    }

    fn refused_argument(&self, recipe: &Recipe<'_>, error: &PluginError) -> Refused {
        let message = format!(
            "`{}` refuses its arguments: {}",
            recipe.name,
            error.message()
        );
        let remedy = format!(
            "`dogpile plugins` lists the arguments of `{}`",
            recipe.plugin.name
        );
        let mut refused = Refused::new(ErrorKind::Plugin, self.given, message, remedy);
        refused.place.extend(
            error
                .place()
                .iter()
                // Elements of arrays are `a[0]`; what is optional may have a step of its own, `?`.
                .flat_map(|place| place.split(['.', '[', ']']))
                .filter(|part| !part.is_empty() && *part != "?")
                .map(str::to_owned),
        );
        refused.about_key = error.is_unknown_argument();
        refused.with_code(PluginErrorKind::Arguments.code())
    }
}
