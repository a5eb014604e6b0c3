//! The backends `memcached`, `memcached_ketama` and `memcached_binary`, on servers that each test starts for itself.

#![forbid(unsafe_code)]

mod conformance;
mod support;
