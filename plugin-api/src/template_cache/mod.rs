//! The trait of a template cache, and what it decides about.

mod decision;
mod event;
mod key_parts;
mod request;
mod text;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;

pub use self::decision::{Decision, TemplateEntry};
pub use self::event::{TemplateChange, TemplateEvent, TemplateOutcome};
pub use self::key_parts::{KeyParts, KeyPartsIter};
pub use self::request::{TemplatePart, TemplateRequest};
pub use self::text::Text;
use crate::{HostContext, Result};

/// Decides for each page, block and fragment of the program's templates whether it is cached, and where: the place of
/// Mako's `CacheImpl`. Write `open` and `key_for`; by default all is cached that asks for it.
///
/// What renders stays with the host: a template cache never sees a text, and is called on the thread that renders, so
/// it must not block. All methods may be called from many threads at once. An error, or a panic, after which it is
/// reopened, means that the page is rendered without the cache; nobody who looks at the page sees it.
///
/// ```
/// use dogpile_plugin_api::{
///     HostContext, NoArguments, Result, TemplateCache, TemplateEntry, TemplateRequest, export_plugin,
/// };
///
/// /// Everything in one region, as it is asked for.
/// struct Plain;
///
/// impl TemplateCache for Plain {
///     type Arguments = NoArguments;
///
///     fn open(_: NoArguments, _: &HostContext) -> Result<Self> {
///         Ok(Self)
///     }
///
///     fn key_for<'a>(&'a self, request: &TemplateRequest<'a>) -> Result<TemplateEntry<'a>> {
///         Ok(TemplateEntry::asked(request, "pages"))
///     }
/// }
///
/// export_plugin! { template_caches: { "plain" => Plain } }
/// # fn main() { assert_eq!(plugin().describe().unwrap().template_caches[0].name, "plain"); }
/// ```
pub trait TemplateCache: Send + Sync + Sized + 'static {
    /// What the manifest's `arguments` hold. Unknown keys are refused before `open` is called.
    type Arguments: DeserializeOwned + JsonSchema;

    /// Makes an instance. Called on a thread of its own, which may block for as long as `[host] open_timeout`. An error
    /// refuses the manifest.
    fn open(arguments: Self::Arguments, host: &HostContext) -> Result<Self>;

    /// Where the text of a request is, or would be: asked by who gets, sets or invalidates it without rendering, on their
    /// thread. They are told of an error.
    ///
    /// It must give the same for the same request as long as the instance lives, and a key that contains
    /// [`TemplateRequest::key`] unless it knows another way to keep apart what differs.
    fn key_for<'a>(&'a self, request: &TemplateRequest<'a>) -> Result<TemplateEntry<'a>>;

    /// What is done about a request that is about to be rendered. Default: it is cached where [`key_for`](Self::key_for)
    /// says. An error renders it without the cache, and is logged.
    fn decide<'a>(&'a self, request: &TemplateRequest<'a>) -> Result<Decision<'a>> {
        self.key_for(request).map(Decision::Cache)
    }

    /// Whether what [`decide`](Self::decide) says of a request is the same whatever the key, which holds the digest, the
    /// escaping and the parts of the key: so that it follows, as long as the instance lives, from the engine, the template,
    /// the part, the name, and the region and the expiration time that are asked for. The entry's key is then the one of
    /// the request, behind a text that is always the same, or nothing. Of the request's tags `decide` is not told: the text
    /// has them beside those of the entry.
    ///
    /// Asked once, after `open`. Who says yes is asked once for many requests, which spares a hit the call; not always, so
    /// that nothing may depend on that. Default: no.
    fn ignores_keys(&self) -> bool {
        false
    }

    /// A template was edited, or something that it is made of was. Keys hold its digest, so that nothing old is served
    /// whatever this does. Called on the thread that noticed. An error is logged. Default: nothing.
    fn template_changed(&self, change: &TemplateChange<'_>) -> Result<()> {
        let _ = change;
        Ok(())
    }

    /// Whether [`observe`](Self::observe) is to be called; asked once, after `open`. Default: no, which spares each hit
    /// a call.
    fn observes(&self) -> bool {
        false
    }

    /// What came of a request, whose text is made: called on the thread that rendered, before it goes on. An error is logged,
    /// and changes nothing. Default: nothing.
    fn observe(&self, request: &TemplateRequest<'_>, event: &TemplateEvent<'_>) -> Result<()> {
        let _ = (request, event);
        Ok(())
    }
}
