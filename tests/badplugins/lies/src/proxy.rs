use dogpile_plugin_api::{HostContext, Key, Proxied, Proxy, Result, Value};

use crate::lie::Arguments;

/// Changes nothing.
pub(crate) struct Lies(Arguments, Proxied);

impl Proxy for Lies {
    type Arguments = Arguments;

    fn open(arguments: Arguments, proxied: Proxied, _: &HostContext) -> Result<Self> {
        arguments.tell("open");
        Ok(Self(arguments, proxied))
    }

    fn proxied(&self) -> &Proxied {
        self.0.tell("proxied");
        &self.1
    }

    fn get(&self, key: &Key) -> Result<Option<Value>> {
        self.0.tell("get");
        self.1.get(key)
    }

    fn set(&self, key: &Key, value: &Value) -> Result<()> {
        self.0.tell("set");
        self.1.set(key, value)
    }

    fn delete(&self, key: &Key) -> Result<()> {
        self.0.tell("delete");
        self.1.delete(key)
    }

    fn close(&self) -> Result<()> {
        self.0.tell("close");
        Ok(())
    }
}

impl Drop for Lies {
    fn drop(&mut self) {
        self.0.tell("drop");
    }
}
