//! A site: pages of [`views`](crate::views) by request paths, with data and static files.

mod assets;
mod filters;
mod page;
mod paths;
#[expect(
    clippy::module_inception,
    reason = "the type Site has a file of its own, as every type has"
)]
mod site;

pub use self::assets::StaticFile;
pub use self::page::Page;
pub use self::site::Site;
