use std::time::Duration;

use dogpile_plugin_api::{Lease, Mutex, Result};

use crate::lie::Arguments;

/// Always free.
pub(crate) struct Lies(Arguments);

impl Lies {
    pub(crate) fn new(arguments: &Arguments) -> Self {
        Self(arguments.clone())
    }
}

impl Mutex for Lies {
    fn try_acquire(&self, _: Duration) -> Result<Option<Lease>> {
        self.0.tell("try_acquire");
        Ok(Some(Lease::new([1; 16], 0)))
    }

    fn wait(&self, _: Duration) -> Result<()> {
        self.0.tell("wait");
        Ok(())
    }

    fn renew(&self, _: &mut Lease) -> Result<bool> {
        self.0.tell("renew");
        Ok(true)
    }

    fn release(&self, _: Lease) -> Result<()> {
        self.0.tell("release");
        Ok(())
    }

    fn is_locked(&self) -> Result<bool> {
        self.0.tell("is_locked");
        Ok(false)
    }
}

impl Drop for Lies {
    fn drop(&mut self) {
        self.0.tell("drop of a mutex");
    }
}
