//! One command a file.

pub(crate) mod check;
pub(crate) mod conformance;
pub(crate) mod delete;
pub(crate) mod get;
pub(crate) mod new_plugin;
mod pin;
pub(crate) mod plugins;
pub(crate) mod reload;
pub(crate) mod set;
mod site;
pub(crate) mod status;
