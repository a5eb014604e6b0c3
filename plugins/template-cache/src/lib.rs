//! The template cache `template-cache`: which region keeps what of the program's templates, and for how long.
//!
//! | argument | default | meaning |
//! |---|---|---|
//! | `region` | `"pages"` | the region of what names none |
//! | `expiration_time` | the region's | of what names none: seconds, or `"90s"`, `"5m"`, `"2h"`, `"never"` |
//! | `key_prefix` | `""` | stands before every key |
//! | `rules` | none | what is done otherwise with some: of those that match, the first |
//! | `log` | `false` | each outcome is logged at debug level |
//!
//! A rule matches by `template` and `fragment`, which are globs (`*` and `?` stay within a folder, `**` does not), and
//! by `part`, which is `"page"`, `"block"` or `"fragment"`; what it leaves out matches everything. `fragment` is the
//! name of a block or fragment, so that a rule which has it is never about pages. It may say:
//!
//! | key | meaning |
//! |---|---|
//! | `decision` | `"cache"` (default), `"bypass"` to render without the cache, `"refresh"` to render and store anew each time |
//! | `region`, `expiration_time` | in place of what the template asks for |
//! | `tags` | beside those that the template gives |
//!
//! ```toml
//! [templates]
//! plugin = "template-cache"
//!
//! [templates.arguments]
//! expiration_time = "5m"
//! rules = [
//!     { template = "admin/**", decision = "bypass" },
//!     { fragment = "row", region = "rows", expiration_time = "1h" },
//! ]
//! ```

#![forbid(unsafe_code)]

mod arguments;
mod glob;
mod rule;
mod time;

use dogpile_plugin_api::{
    Decision, HostContext, Result, TemplateCache, TemplateChange, TemplateEntry, TemplateEvent,
    TemplateRequest, export_plugin, tracing,
};

pub use self::arguments::{Arguments, Part, Rule, RuleDecision};
pub use self::glob::Glob;
pub use self::time::Time;

/// The template cache `template-cache`.
#[derive(Debug)]
pub struct Rules {
    arguments: Arguments,
}

impl Rules {
    fn entry<'a>(
        &'a self,
        request: &TemplateRequest<'a>,
        rule: Option<&'a Rule>,
    ) -> TemplateEntry<'a> {
        let arguments = &self.arguments;
        let mut entry = TemplateEntry::asked(request, &arguments.region);
        if !arguments.key_prefix.is_empty() {
            entry.key = format!("{}{}", arguments.key_prefix, entry.key).into();
        }
        if let Some(rule) = rule {
            rule.apply(&mut entry);
        }
        if entry.expiration_time.is_none() {
            entry.expiration_time = arguments.expiration_time.map(Time::expiration);
        }
        entry
    }

    fn rule(&self, request: &TemplateRequest<'_>) -> Option<&Rule> {
        let mut rules = self.arguments.rules.iter();
        rules.find(|rule| rule.matches(request))
    }
}

impl TemplateCache for Rules {
    type Arguments = Arguments;

    fn open(arguments: Arguments, _: &HostContext) -> Result<Self> {
        Ok(Self { arguments })
    }

    fn key_for<'a>(&'a self, request: &TemplateRequest<'a>) -> Result<TemplateEntry<'a>> {
        Ok(self.entry(request, self.rule(request)))
    }

    fn decide<'a>(&'a self, request: &TemplateRequest<'a>) -> Result<Decision<'a>> {
        let rule = self.rule(request);
        Ok(
            match rule.map_or(RuleDecision::Cache, |rule| rule.decision) {
                RuleDecision::Bypass => Decision::Bypass,
                RuleDecision::Cache => Decision::Cache(self.entry(request, rule)),
                RuleDecision::Refresh => Decision::Refresh(self.entry(request, rule)),
            },
        )
    }

    fn ignores_keys(&self) -> bool {
        true
    }

    fn template_changed(&self, change: &TemplateChange<'_>) -> Result<()> {
        let (engine, template) = (change.engine(), change.template());
        tracing::debug!(engine, template, "a template has changed");
        Ok(())
    }

    fn observes(&self) -> bool {
        self.arguments.log
    }

    fn observe(&self, request: &TemplateRequest<'_>, event: &TemplateEvent<'_>) -> Result<()> {
        let (outcome, region) = (event.outcome().name(), event.region());
        let seconds = event.elapsed().as_secs_f64();
        tracing::debug!(outcome, region, seconds, "{request}");
        Ok(())
    }
}

export_plugin! { template_caches: { "template-cache" => Rules } }
