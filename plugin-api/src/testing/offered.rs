use super::TestHost;
use crate::adapter::Unhosted;
use crate::{BackendInstance, Plugin, Result};

/// A backend or proxy of a plugin, with arguments.
#[derive(Clone, Copy)]
pub struct Offered<'a> {
    /// Who offers it.
    pub plugin: Plugin,
    /// Its name.
    pub name: &'a str,
    /// Its arguments, a JSON object.
    pub arguments: &'a str,
}

impl TestHost {
    /// Opens a backend, and proxies around it: the first is the outermost. It is closed when what is returned is dropped;
    /// a proxy's own [`close`](BackendInstance::close) is its user's matter, as that of a backend alone is.
    pub fn open(&self, backend: Offered<'_>, proxies: &[Offered<'_>]) -> Result<BackendInstance> {
        let Offered {
            plugin,
            name,
            arguments,
        } = backend;
        let mut opened = plugin.open_backend(name, arguments, self.raw())?;
        for proxy in proxies.iter().rev() {
            let Offered {
                plugin,
                name,
                arguments,
            } = *proxy;
            opened = plugin.open_proxy(name, arguments, self.raw(), Unhosted(opened))?;
        }
        Ok(opened)
    }
}
