//! What becomes of a process: what it allocates, and what its children have of it.

mod allocations;
mod c_library;
mod children;
mod forks;
mod lease_forks;
mod memcached_forks;
mod redis_forks;
mod shared_backend;
