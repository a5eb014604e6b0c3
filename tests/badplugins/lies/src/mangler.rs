use dogpile_plugin_api::{HostContext, KeyMangler, Result};

use crate::lie::{Arguments, not_utf8};

/// Changes nothing.
pub(crate) struct Lies(Arguments);

impl KeyMangler for Lies {
    type Arguments = Arguments;

    fn open(arguments: Arguments, _: &HostContext) -> Result<Self> {
        arguments.tell("open");
        Ok(Self(arguments))
    }

    fn mangle(&self, key: &str) -> Result<String> {
        self.0.tell("mangle");
        if self.0.is("not_utf8", "mangle") {
            return Ok(not_utf8().to_owned());
        }
        Ok(key.to_owned())
    }
}

impl Drop for Lies {
    fn drop(&mut self) {
        self.0.tell("drop");
    }
}
