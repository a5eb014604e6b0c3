//! The backend `dbm`: a file that processes share, with a creation lock for each key.

#![forbid(unsafe_code)]

mod arguments;
mod byte_size;
mod dbm;
mod failure;
mod file;
mod keys;
mod lock_file;
mod locks;
mod record;
mod scalar;
mod store;
#[cfg(test)]
mod tests;

use dogpile_plugin_api::export_plugin;

pub use self::arguments::{DbmArguments, Durability, Scope};
pub use self::byte_size::ByteSize;
pub use self::dbm::Dbm;
pub use self::keys::keys;
pub use self::lock_file::LockFile;

export_plugin! { backends: { "dbm" => Dbm } }
