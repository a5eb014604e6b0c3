//! One command a file.

pub(crate) mod check;
pub(crate) mod conformance;
pub(crate) mod delete;
pub(crate) mod get;
mod pin;
pub(crate) mod plugins;
pub(crate) mod reload;
pub(crate) mod set;
mod site;
pub(crate) mod status;
