//! The backend as the host sees it, through the boundary.

#![forbid(unsafe_code)]

mod arguments;
mod drops;
mod eviction;
mod hits;
mod limits;
mod model;
mod reconfigure;
mod support;
