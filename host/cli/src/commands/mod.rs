//! One command a file.

pub(crate) mod check;
pub(crate) mod clear;
pub(crate) mod completions;
pub(crate) mod conformance;
pub(crate) mod delete;
pub(crate) mod explain;
pub(crate) mod get;
pub(crate) mod invalidate;
pub(crate) mod man;
pub(crate) mod new_plugin;
mod pin;
pub(crate) mod plugins;
pub(crate) mod reload;
pub(crate) mod schema;
pub(crate) mod set;
pub(crate) mod site;
pub(crate) mod status;
