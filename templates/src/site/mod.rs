//! From files to pages, a step a file: [`listing`] finds the files, [`files`] reads what changed by its [`stamp`],
//! [`scan`] sees what a template refers to, [`closure`] follows that, [`plan`] makes digest and engine of it, [`page`]
//! renders.

mod assets;
mod closure;
mod error;
mod files;
mod filters;
mod lexer;
mod listing;
mod page;
mod paths;
mod plan;
mod scan;
#[expect(
    clippy::module_inception,
    reason = "the type Site has a file of its own, as every type has"
)]
mod site;
mod snapshot;
mod stamp;

pub use assets::StaticFile;
pub use error::{SiteError, SiteErrorKind};
pub use page::Page;
pub use site::Site;
