use dogpile_plugin_api::{
    Decision, HostContext, Result, TemplateCache, TemplateChange, TemplateEntry, TemplateEvent,
    TemplateRequest,
};

use crate::lie::{Arguments, not_utf8};

/// Caches all that asks for it.
pub(crate) struct Lies(Arguments);

impl TemplateCache for Lies {
    type Arguments = Arguments;

    fn open(arguments: Arguments, _: &HostContext) -> Result<Self> {
        arguments.tell("open");
        Ok(Self(arguments))
    }

    fn key_for<'a>(&'a self, request: &TemplateRequest<'a>) -> Result<TemplateEntry<'a>> {
        self.0.tell("key_for");
        if self.0.is("not_utf8", "key_for") {
            return Ok(TemplateEntry::new("pages", not_utf8()));
        }
        Ok(TemplateEntry::asked(request, "pages"))
    }

    fn decide<'a>(&'a self, request: &TemplateRequest<'a>) -> Result<Decision<'a>> {
        self.0.tell("decide");
        self.key_for(request).map(Decision::Cache)
    }

    fn template_changed(&self, _: &TemplateChange<'_>) -> Result<()> {
        self.0.tell("template_changed");
        Ok(())
    }

    fn observes(&self) -> bool {
        self.0.tell("observes");
        true
    }

    fn observe(&self, _: &TemplateRequest<'_>, _: &TemplateEvent<'_>) -> Result<()> {
        self.0.tell("observe");
        Ok(())
    }
}

impl Drop for Lies {
    fn drop(&mut self) {
        self.0.tell("drop");
    }
}
