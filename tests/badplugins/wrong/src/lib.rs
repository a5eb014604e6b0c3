//! The backend that the tests of the conformance suites link in, as a library: right, unless its argument `bug` names what
//! is to be wrong with it.

#![allow(dead_code, reason = "the tests of the suites use more of it")]

#[path = "../../../../plugin-api/tests/conformance/bugs.rs"]
mod bugs;
#[path = "../../../../plugin-api/tests/conformance/map.rs"]
mod map;
#[path = "../../../../plugin-api/tests/conformance/mutex.rs"]
mod mutex;

use dogpile_plugin_api::export_plugin;

use crate::map::Map;

export_plugin! { backends: { "map" => Map } }
