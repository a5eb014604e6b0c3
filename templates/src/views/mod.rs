//! From files to pages, a step a file: [`listing`] finds the files, [`files`] reads them,
//! [`watch`] and [`stamp`] tell which changed,
//! [`scan`] sees what a template refers to by its [`tags`], [`fragments`] takes its cached bodies out, [`closure`]
//! follows what it refers to, [`plan`] makes digests of that, [`compiled`] an engine, and [`view`] renders,
//! here or [`apart`].

mod apart;
mod closure;
mod compiled;
mod data;
mod digest;
mod error;
mod files;
mod followed;
mod fragments;
mod layout;
mod lexer;
mod lint;
mod listing;
mod looks;
mod paths;
mod plan;
mod probe;
mod scan;
mod snapshot;
mod sources;
mod stamp;
mod tags;
mod view;
#[expect(
    clippy::module_inception,
    reason = "the type Views has a file of its own, as every type has"
)]
mod views;
mod watch;

pub use self::error::{ViewError, ViewErrorKind};
pub(crate) use self::files::MAX_FILE;
pub(crate) use self::followed::Followed;
pub(crate) use self::layout::Layout;
pub(crate) use self::paths::{is_page, is_plain};
pub(crate) use self::plan::{Plan, Settings};
pub use self::view::View;
pub use self::views::Views;
