//! The region in which runs are kept.

use std::error::Error as _;
use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use dogpile::{
    ErrorKind, Expiration, Host, InvalidationScope, OnBackendError, Region, RegionConfig,
    SerializerKind,
};

use super::options::Options;
use super::place;
use super::record::VERSION;

/// How long an output is fresh, if nothing else is asked for.
const FRESH: Duration = Duration::from_mins(1);

const NAME: &str = "exec";

/// An open region. The host goes after it.
pub(super) struct Cache {
    pub(super) region: Region,
    /// How old an output may be that takes the place of a run that failed; none: no output may.
    pub(super) stand_in: Option<Duration>,
    _host: Host,
}

impl Cache {
    /// The region that the options name. Calls wait for others' runs as long as the timeout says, if there is one.
    pub(super) fn open(
        manifest: &Path,
        options: &Options,
        timeout: Option<Duration>,
    ) -> Result<Self> {
        match &options.region {
            Some(name) => Self::of_manifest(manifest, name, options, timeout),
            None => Self::own(options, timeout),
        }
    }

    /// The user's own.
    pub(super) fn own(options: &Options, timeout: Option<Duration>) -> Result<Self> {
        let file = place::file()?;
        let file = file.to_str().context("the folder's path is not UTF-8")?;
        let mut config = RegionConfig::on(NAME, "dbm")
            .argument("filename", file)
            .serializer(SerializerKind::MessagePack)
            .value_version(VERSION)
            .replace_foreign(true)
            .invalidation(InvalidationScope::Local)
            .expiration_time(FRESH);
        adjust(&mut config, options, timeout);
        let stand_in = stand_in(&config);
        let host = Host::builder()
            .plugin(dogpile_plugin_dbm::plugin())
            .region(config)
            .build()
            .map_err(not_opened)?;
        Ok(Self {
            region: host.region(NAME)?,
            stand_in,
            _host: host,
        })
    }

    fn of_manifest(
        manifest: &Path,
        name: &str,
        options: &Options,
        timeout: Option<Duration>,
    ) -> Result<Self> {
        let asked = options.clone();
        let (tell, told) = mpsc::channel();
        let change = move |config: &mut RegionConfig| {
            adjust(config, &asked, timeout);
            // It is read once, below.
            let _read = tell.send(stand_in(config));
        };
        let host = Host::builder()
            .manifest(manifest)
            .watch(false)
            .only_region(name, change)
            .build()
            .map_err(|error| match error.kind() {
                ErrorKind::NoSuchRegion => Unusable(error.to_string()).into(),
                _ => anyhow::Error::new(error),
            })?;
        let region = host.region(name)?;
        if !region.is_shared()? {
            let why = format!(
                "region `{name}` lives in one process: name one that processes share, or none"
            );
            return Err(Unusable(why).into());
        }
        Ok(Self {
            region,
            stand_in: told.try_recv().unwrap_or_default(),
            _host: host,
        })
    }
}

/// What can be done about it, for somebody who has no region to change.
fn not_opened(error: dogpile::Error) -> anyhow::Error {
    match error.source() {
        Some(why) => anyhow!("{why}; XDG_CACHE_HOME says in which folder"),
        None => error.into(),
    }
}

/// A region that the caller should not have named. All else that is wrong with a cache is no reason not to run a command.
#[derive(Debug)]
pub(super) struct Unusable(String);

impl std::fmt::Display for Unusable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Unusable {}

/// What the command line asks for, over what the region says. Whether and where a command runs behind is decided here, not
/// by the library's threads, which end with us.
fn adjust(config: &mut RegionConfig, options: &Options, timeout: Option<Duration>) {
    match options.expiration_time {
        Some(Expiration::After(time)) => config.expiration_time = Some(time),
        Some(Expiration::Never) => config.expiration_time = None,
        None => {}
    }
    if options.max_stale.is_some() {
        config.max_stale = options.max_stale;
    }
    if let Some(time) = options.stale_if_error {
        config.stale_if_error = time;
    }
    config.lock_wait = timeout.or(config.lock_wait);
    config.on_backend_error = OnBackendError::Fail;
    config.early_refresh = None;
}

fn stand_in(config: &RegionConfig) -> Option<Duration> {
    let limit = config.stale_if_error;
    let fresh = config.expiration_time?;
    (!limit.is_zero()).then(|| fresh.saturating_add(limit))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exec::options::tests::options;

    #[test]
    fn a_region_does_not_refresh_by_itself() {
        let mut region = RegionConfig::on("exec", "dbm").early_refresh(0.5);
        adjust(&mut region, &options(&["--", "a"]), None);
        assert_eq!(region.early_refresh, None);
    }

    #[test]
    fn an_output_stands_in_for_so_long_past_its_expiry() {
        let region = RegionConfig::on("exec", "dbm");
        let asked = region
            .clone()
            .stale_if_error(Duration::from_secs(2), Duration::ZERO);
        assert_eq!(stand_in(&asked), None);
        let fresh = Duration::from_secs(3);
        assert_eq!(stand_in(&region.expiration_time(fresh)), None);
        assert_eq!(
            stand_in(&asked.expiration_time(fresh)),
            Some(Duration::from_secs(5))
        );
    }
}
