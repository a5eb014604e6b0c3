use dogpile_plugin_api::schemars;
use dogpile_plugin_api::serde::{self, Deserialize};
use dogpile_plugin_api::{JsonSchema, TemplatePart};

use crate::{Glob, Time};

/// The arguments of `template-cache`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(crate = "serde", deny_unknown_fields, default)]
#[schemars(crate = "schemars")]
pub struct Arguments {
    /// The region of what names none.
    pub region: String,
    /// The expiration time of what names none; without, the region's.
    pub expiration_time: Option<Time>,
    /// What stands before every key.
    pub key_prefix: String,
    /// What is done otherwise with some: of those that match, the first.
    pub rules: Vec<Rule>,
    /// Whether each outcome is logged, at debug level.
    pub log: bool,
}

impl Default for Arguments {
    fn default() -> Self {
        Self {
            region: String::from("pages"),
            expiration_time: None,
            key_prefix: String::new(),
            rules: Vec::new(),
            log: false,
        }
    }
}

/// What is done with some of the templates, or with parts of them.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(crate = "serde", deny_unknown_fields, default)]
#[schemars(crate = "schemars")]
pub struct Rule {
    /// Of which templates.
    pub template: Option<Glob>,
    /// Of which blocks and fragments.
    pub fragment: Option<Glob>,
    /// Of what in a template.
    pub part: Option<Part>,
    /// What is done.
    pub decision: RuleDecision,
    /// The region, in place of what the template asks for.
    pub region: Option<String>,
    /// The expiration time, in place of what the template asks for.
    pub expiration_time: Option<Time>,
    /// Tags beside those that the template gives.
    pub tags: Vec<String>,
}

/// What of a template a rule is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(crate = "serde", rename_all = "lowercase")]
#[schemars(crate = "schemars")]
pub enum Part {
    /// The whole text.
    Page,
    /// A block that templates inherit.
    Block,
    /// What was marked to be cached.
    Fragment,
}

impl Part {
    pub(crate) fn is(self, part: TemplatePart) -> bool {
        match self {
            Self::Page => part == TemplatePart::Page,
            Self::Block => part == TemplatePart::Block,
            Self::Fragment => part == TemplatePart::Fragment,
        }
    }
}

/// What a rule does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(crate = "serde", rename_all = "lowercase")]
#[schemars(crate = "schemars")]
pub enum RuleDecision {
    /// It is rendered without the cache.
    Bypass,
    /// It is cached.
    #[default]
    Cache,
    /// It is rendered and stored anew each time.
    Refresh,
}
