use std::borrow::Cow;

use dogpile_plugin_api::{TemplateEntry, TemplatePart, TemplateRequest};

use crate::{Glob, Rule, Time};

impl Rule {
    pub(crate) fn matches(&self, request: &TemplateRequest<'_>) -> bool {
        let fits = |glob: &Option<Glob>, text| glob.as_ref().is_none_or(|glob| glob.matches(text));
        let is_page = request.part() == TemplatePart::Page;
        self.part.is_none_or(|part| part.is(request.part()))
            && !(is_page && self.fragment.is_some())
            && fits(&self.template, request.template())
            && fits(&self.fragment, request.name())
    }

    pub(crate) fn apply<'a>(&'a self, entry: &mut TemplateEntry<'a>) {
        if let Some(region) = &self.region {
            entry.region = region.into();
        }
        if let Some(time) = self.expiration_time {
            entry.expiration_time = Some(Time::expiration(time));
        }
        for tag in &self.tags {
            if !entry.tags.contains(&Cow::from(tag)) {
                entry.tags.push(tag.into());
            }
        }
    }
}
