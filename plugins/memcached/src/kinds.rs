use std::time::Duration;

use dogpile_plugin_api::{Error, Result};

use crate::arguments::MemcachedArguments;
use crate::placement::Placement;
use crate::target::Protocol;

/// In whose place a backend is.
pub(crate) trait Kind: 'static {
    /// What is the client's own. Refuses arguments that are for others.
    fn ways(arguments: &MemcachedArguments) -> Result<Ways>;
}

/// What clients of Python's do differently.
pub(crate) struct Ways {
    pub(crate) protocol: Protocol,
    pub(crate) placement: Placement,
    /// The flag of bytes.
    pub(crate) flags: u32,
    /// Unless the arguments say otherwise.
    pub(crate) dead_retry: Duration,
}

/// That of python-memcached, or of pymemcache.
#[derive(Debug)]
pub enum PythonMemcached {}

/// That of pylibmc.
#[derive(Debug)]
pub enum Pylibmc {}

/// That of python-binary-memcached.
#[derive(Debug)]
pub enum Bmemcached {}

/// Where keys do not move while a server is down, or all are everywhere, it is looked for soon.
const SOON: Duration = Duration::from_secs(1);

impl Kind for PythonMemcached {
    fn ways(arguments: &MemcachedArguments) -> Result<Ways> {
        only_of_ketama(arguments)?;
        let client = arguments.distribution.unwrap_or_default();
        Ok(Ways {
            protocol: Protocol::Text,
            placement: Placement::of_python(client, &arguments.url.0),
            flags: 0,
            dead_retry: Duration::from_secs(30),
        })
    }
}

impl Kind for Pylibmc {
    fn ways(arguments: &MemcachedArguments) -> Result<Ways> {
        only_of_memcached(arguments)?;
        let behaviors = arguments.behaviors.clone().unwrap_or_default();
        Ok(Ways {
            protocol: match arguments.binary {
                Some(true) => Protocol::Binary,
                _ => Protocol::Text,
            },
            placement: Placement::of_libmemcached(&behaviors, &arguments.url.0),
            flags: 0,
            dead_retry: SOON,
        })
    }
}

impl Kind for Bmemcached {
    fn ways(arguments: &MemcachedArguments) -> Result<Ways> {
        only_of_memcached(arguments)?;
        only_of_ketama(arguments)?;
        if let Some(heavy) = arguments.url.0.iter().find(|server| server.weight > 1) {
            return Err(Error::argument(
                "url",
                format!(
                    "every key is on every server: {} needs no weight",
                    heavy.place
                ),
            ));
        }
        Ok(Ways {
            protocol: Protocol::Binary,
            placement: Placement::All(arguments.url.0.len()),
            flags: 16,
            dead_retry: SOON,
        })
    }
}

fn only_of_memcached(arguments: &MemcachedArguments) -> Result<()> {
    match arguments.distribution {
        Some(_) => Err(Error::argument(
            "distribution",
            "it is for the backend `memcached`: leave it out",
        )),
        None => Ok(()),
    }
}

fn only_of_ketama(arguments: &MemcachedArguments) -> Result<()> {
    for (argument, is_given) in [
        ("behaviors", arguments.behaviors.is_some()),
        ("binary", arguments.binary.is_some()),
    ] {
        if is_given {
            return Err(Error::argument(
                argument,
                "it is for the backend `memcached_ketama`: use that, or leave it out",
            ));
        }
    }
    Ok(())
}
