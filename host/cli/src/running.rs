//! Regions, through the running host or opened here.

use std::error::Error as _;
use std::path::Path;

use anyhow::{Result, anyhow, bail};
use dogpile::admin::Client;
use dogpile::{Explanation, Host, Invalidation, Payload, Region};

use crate::{lost, output, quoted};

/// The running host of the manifest.
pub(crate) fn host(manifest: &Path) -> Result<Client> {
    Client::connect(manifest)?.ok_or_else(|| {
        anyhow!(
            "no host of {} is running; start one with `{}`, or give your program's host \
             `.admin_socket(AdminSocket::Auto)`; {}",
            manifest.display(),
            serve(manifest),
            looked_for(manifest)
        )
    })
}

/// The command that runs one.
fn serve(manifest: &Path) -> String {
    format!("dogpile --manifest {} serve", quoted::path(manifest))
}

/// Where the host was looked for. It may listen elsewhere: its environment can have another runtime directory.
fn looked_for(manifest: &Path) -> String {
    let places = Client::places(manifest).into_iter();
    let places: Vec<_> = places.map(|place| place.display().to_string()).collect();
    let places = match &places[..] {
        [] => "nowhere".to_owned(),
        places => format!("in {}", places.join(", ")),
    };
    let passed_over = Client::passed_over(manifest);
    let passed_over = match &passed_over[..] {
        [] => String::new(),
        reasons => format!("; not where {}", reasons.join(", and ")),
    };
    format!("its socket was looked for {places}{passed_over}")
}

/// A region, wherever it can be reached.
pub(crate) enum Reached {
    /// By the host that runs, which knows what is in its memory.
    Running { client: Client, name: String },
    /// Opened here, since no host runs. The host goes after its region.
    Opened { region: Region, host: Host },
}

impl Reached {
    pub(crate) fn region(manifest: &Path, name: &str) -> Result<Self> {
        if let Some(client) = Client::connect(manifest)? {
            let name = name.to_owned();
            return Ok(Self::Running { client, name });
        }
        lost::tell_to(|what| output::say(format_args!("warning: {what}")));
        let host = Host::builder()
            .manifest(manifest)
            .watch(false)
            .only_region(name, |_| {})
            .build()?;
        let region = host.region(name)?;
        if !region.is_shared()? {
            bail!(
                "region `{name}` lives in the process that uses it, and no host of {} is running; start one with \
                 `{}`; {}",
                manifest.display(),
                serve(manifest),
                looked_for(manifest)
            );
        }
        Ok(Self::Opened { region, host })
    }

    pub(crate) fn get(&mut self, key: &str) -> dogpile::Result<Option<Payload>> {
        match self {
            Self::Running { client, name } => client.get(name, key),
            Self::Opened { region, .. } => region.get_payload(key),
        }
    }

    pub(crate) fn set(&mut self, key: &str, payload: &[u8]) -> dogpile::Result<()> {
        match self {
            Self::Running { client, name } => client.set(name, key, payload),
            Self::Opened { region, .. } => region.set_payload(key, payload),
        }
    }

    pub(crate) fn delete(&mut self, key: &str) -> dogpile::Result<()> {
        match self {
            Self::Running { client, name } => client.delete(name, key),
            Self::Opened { region, .. } => region.delete(key),
        }
    }

    pub(crate) fn clear(&mut self) -> dogpile::Result<()> {
        match self {
            Self::Running { client, name } => client.clear(name),
            Self::Opened { region, .. } => region.clear(),
        }
    }

    pub(crate) fn explain(&mut self, key: &str) -> dogpile::Result<Explanation> {
        match self {
            Self::Running { client, name } => client.explain(name, key),
            Self::Opened { region, .. } => region.explain(key),
        }
    }

    /// All values, or those with one of the tags. Here it is of use only if other processes are told.
    pub(crate) fn invalidate(&mut self, how: Invalidation, tags: &[String]) -> Result<()> {
        match self {
            Self::Running { client, name } => client.invalidate(name, how, tags)?,
            Self::Opened { region, host } => {
                let name = region.name();
                let status = host.status();
                let of_it = status.regions.iter().find(|status| status.name == name);
                if of_it.is_some_and(|status| status.invalidation != "shared") {
                    bail!(
                        "an invalidation of region `{name}` holds in one process only (its `invalidation` is \"local\"), \
                         and no host of this manifest is running; start one, or set invalidation = \"shared\""
                    );
                }
                let outdated = if tags.is_empty() {
                    region.invalidate(how)
                } else {
                    region.invalidate_tags(tags, how)
                };
                // The library tells of this process, which ends now.
                outdated.map_err(|error| match error.source() {
                    Some(cause) => anyhow!("nothing was outdated: {cause}"),
                    None => error.into(),
                })?;
            }
        }
        Ok(())
    }
}
