//! From the cache, or by a run that goes into it.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use dogpile::{Cached, ErrorKind, Region};
use signal_hook::consts::SIGINT;

use super::behind;
use super::cache::Cache;
use super::job::{Fetched, Job, News, Refusal};
use super::record::{End, Record};
use super::running::{self, Showing, Trouble};
use super::time::nanoseconds;
use super::word::Word;

/// Tells the job's owner all there is to tell. Blocks for the cache, for others' runs and for our own.
pub(super) fn work(job: &Arc<Job>) {
    let fetched = fetch(job).unwrap_or_else(Fetched::Failed);
    job.tell(News::Ended(fetched));
}

fn fetch(job: &Arc<Job>) -> Result<Fetched> {
    let cache = Cache::open(&job.manifest, &job.options, job.timeout)?;
    let region = &cache.region;
    let showing = showing(job, &cache)?;
    job.tell(News::Opened);
    let own = (Arc::clone(job), region.clone());
    let create = move || create(&own.0, &own.1, showing);
    let key = job.key.entry();
    let created: dogpile::Result<Cached<Record>> = if job.options.refresh {
        region.try_refresh(&key, create)
    } else if job.options.behind.is_some() {
        region.try_get_or_create(&key, create)
    } else {
        let own = (Arc::clone(job), region.clone());
        region.set_creation_runner(move |creation| {
            // Whoever runs behind needs the lock that it holds.
            drop(creation);
            behind::start_if_due(&own.0, &own.1);
        });
        region.entry(&key).background(create).try_get_or_create()
    };
    match created {
        Ok(record) => Ok(Fetched::Record(record)),
        Err(error) => match error.creator::<Refusal>() {
            Some(refusal) => Ok(Fetched::Refused(refusal.clone())),
            None if error.kind() == ErrorKind::LockWait => Ok(Fetched::NotAwaited),
            None => Err(error.into()),
        },
    }
}

/// Output is held back while an older one may take its place. The look at the entry tells, too, that the cache answers.
fn showing(job: &Job, cache: &Cache) -> Result<Showing> {
    let stored = cache.region.get_value_metadata(job.key.entry())?;
    let stands_in = |limit: Duration| stored.is_some_and(|stored| stored.age <= limit);
    Ok(if job.options.behind.is_some() {
        Showing::Silent
    } else if !job.options.refresh && cache.stand_in.is_some_and(stands_in) {
        Showing::Held
    } else {
        Showing::Live
    })
}

/// Called by whoever has the creation lock, if there is still nothing fresh.
fn create(job: &Job, region: &Region, showing: Showing) -> Result<Record, Refusal> {
    // Without it, the command is run.
    if let Ok(Some(word)) = Word::find(region, &job.key)
        && !job.options.refresh
        && (word.is_for(job.came) || (showing == Showing::Held && word.is_recent()))
    {
        return Err(match word.record {
            Some(record) => Refusal::Others(Arc::new(record)),
            None => Refusal::OthersTooLarge,
        });
    }
    if let Some(came) = job.options.behind
        && let Ok(Some(stored)) = region.get_value_metadata(job.key.entry())
        && nanoseconds(stored.cached_time) >= came
    {
        return Err(Refusal::TooLate);
    }
    if !job.claim() {
        return Err(Refusal::TooLate);
    }
    let within = job.around.with(&job.key).map_err(Trouble::NotPrepared);
    let ran = within.and_then(|within| running::run(&job.line, &within, showing));
    let mut ran = ran.map_err(|error| Refusal::Trouble(Arc::new(error)))?;
    let record = match showing {
        Showing::Held => ran.record.clone(),
        Showing::Live | Showing::Silent => ran.record.take(),
    };
    // Nobody need wait for what was not finished.
    let unfinished = ran.cancelled || ran.end == End::Signalled(SIGINT);
    let end = ran.end;
    job.tell(News::Ran(Box::new(ran)));
    match record {
        Some(record) if !unfinished && (end.is_success() || job.options.cache_failures) => {
            Ok(record)
        }
        _ if unfinished => Err(Refusal::NotKept),
        record => {
            // Without word of it the others run it themselves.
            let _unsaid = Word::now(record).leave(region, &job.key);
            Err(Refusal::NotKept)
        }
    }
}

#[cfg(test)]
mod tests {
    use dogpile::{Host, RegionConfig};

    use super::*;
    use crate::exec::job::tests::job;

    #[test]
    fn a_command_that_is_run_without_the_cache_by_now_is_not_run_here() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name| folder.path().join(name).to_str().unwrap().to_owned();
        let config = RegionConfig::on("exec", "dbm").argument("filename", path("cache"));
        let host = Host::builder()
            .plugin(dogpile_plugin_dbm::plugin())
            .region(config)
            .build()
            .unwrap();
        let (job, _heard) = job(&["--", "touch", &path("run")]);
        assert!(job.claim());
        let created = create(&job, &host.region("exec").unwrap(), Showing::Silent);
        assert!(matches!(created, Err(Refusal::TooLate)));
        assert!(!folder.path().join("run").exists());
    }
}
