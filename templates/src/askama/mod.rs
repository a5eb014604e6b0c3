//! Askama
mod arguments;
pub mod filters;
mod handle;
mod identity;
#[doc(hidden)]
pub mod parts;
mod program;
mod rendered;
mod template;
mod view;

pub use self::arguments::{ExpirationTime, FragmentKey};
pub use self::handle::{install, installed};
pub use self::rendered::RenderFailed;
pub use self::template::CachedTemplate;
pub use self::view::View;
pub use dogpile_templates_derive::CachedTemplate;
