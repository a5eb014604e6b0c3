//! The site below the cache: edits, errors, paths, and the site that is shipped.

mod edits;
mod errors;
mod fragments;
mod paths;
mod render;
mod shipped;
mod support;
