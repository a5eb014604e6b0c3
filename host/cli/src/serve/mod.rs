//! `serve`.

mod connections;
mod fragments;
mod notify;
mod page;
mod reply;
mod router;
mod signals;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use std::{io, process};

use anyhow::{Context, Result};
use clap::Args;
use dogpile::Host;
use dogpile::admin::AdminSocket;
use dogpile_templates::{Site, ViewCache};
use tokio::net::TcpListener;
use tokio::runtime;
use tokio::signal::unix::Signal;
use tokio::task::JoinError;

use crate::commands::site::{PAGES, without_region};
use crate::outcome::Outcome;
use crate::serve::page::Pages;
use crate::{logging, output};

/// How long requests may take to their end after the server was told to stop.
const GRACE: Duration = Duration::from_secs(10);

/// How long threads may take to their end after that.
const LAST_CALL: Duration = Duration::from_secs(3);

const EXAMPLES: &str = "\
Examples:
  dogpile serve --site site
      The site at http://127.0.0.1:8000/, its pages cached in the region `pages`.
  dogpile serve --listen 127.0.0.1:0
      Without a site: the regions, for the other commands, on any free port.

Exit status: 0 stopped by a signal; 1 it could not start, or not end in time; 2 wrong usage.";

/// Run the manifest's regions as a service, with a site whose pages are cached in one of them
///
/// SIGTERM and SIGINT stop it: requests that are being answered have ten seconds, or until the second signal. SIGHUP reloads the manifest, which
/// is also followed by itself. What is wrong with a page is logged, and said on it to readers on this machine. systemd is
/// told of starts, reloads and stops, for `Type=notify-reload` and `WatchdogSec=`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Options {
    /// The address and port to listen on; with port 0, any that is free
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8000", value_parser = address)]
    listen: String,
    /// The folder of the site: templates/, data/ and static/
    #[arg(long, value_name = "DIR")]
    site: Option<PathBuf>,
    /// The region that holds the pages of the site
    #[arg(long, value_name = "NAME", default_value = PAGES, requires = "site")]
    region: String,
    /// End each page with a comment that says what came of it and of its fragments
    #[arg(long, requires = "site")]
    comment: bool,
}

/// What all requests share.
struct Service {
    host: Host,
    pages: Option<Pages>,
}

fn address(text: &str) -> Result<String, String> {
    let port = text.rsplit_once(':').map(|(_, port)| port.parse::<u16>());
    match port {
        Some(Ok(_)) => Ok(text.to_owned()),
        _ => Err("an address has a port: `127.0.0.1:8000`, `[::1]:8000`".to_owned()),
    }
}

pub(crate) fn run(manifest: &Path, options: &Options) -> Result<Outcome> {
    let ended = logging::start().and_then(|()| opened(manifest, options));
    if let Err(error) = &ended {
        notify::failed(error);
    }
    ended
}

/// Opens everything, and serves until it is told to stop.
fn opened(manifest: &Path, options: &Options) -> Result<Outcome> {
    let runtime = runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("the threads of the server cannot be started")?;
    let hangup = {
        let _in_it = runtime.enter();
        signals::hangup()?
    };
    if let Some(dir) = &options.site {
        // A folder that is no site is told before anything is opened for it.
        Site::open(dir)?;
    }
    let host = Host::builder()
        .manifest(manifest)
        .admin_socket(AdminSocket::Auto)
        .listener(notify::Reloads)
        .build()?;
    let pages = match &options.site {
        Some(dir) => {
            let site = Site::open_with(dir, ViewCache::new(&host))?;
            let region = host.region(&options.region);
            let region =
                region.map_err(|error| without_region(&error, &options.region, manifest))?;
            Some(Pages::new(site, region, options.comment))
        }
        None => None,
    };
    let service = Arc::new(Service { host, pages });
    let served = runtime.block_on(serve(options, Arc::clone(&service), hangup));
    // What still renders then is left to itself.
    runtime.shutdown_timeout(LAST_CALL);
    served
}

async fn serve(options: &Options, service: Arc<Service>, hangup: Signal) -> Result<Outcome> {
    let mut stop = signals::stop()?;
    signals::reload_on(hangup, Arc::clone(&service));
    let listener = TcpListener::bind(&options.listen)
        .await
        .map_err(|error| cannot_listen(&options.listen, error))?;
    let address = listener.local_addr().context("the socket has no address")?;
    output::print(format!("http://{address}/\n"))?;
    tracing::info!(%address, process = process::id(), "listening");

    let (stopping, mut told) = tokio::sync::watch::channel(false);
    let told = async move {
        // Told, or nobody is left to tell.
        let _either = told.wait_for(|told| *told).await;
    };
    notify::ready(&service.host);
    notify::watchdog();
    let router = router::router(service);
    let mut server = tokio::spawn(connections::serve(listener, router, told));
    let signal = tokio::select! {
        ended = &mut server => return done(ended),
        signal = stop.recv() => signal,
    };
    tracing::info!(signal, "stopping");
    notify::stopping();
    stopping.send_replace(true);
    tokio::select! {
        ended = &mut server => return done(ended),
        signal = stop.recv() => tracing::warn!(signal, "requests are left unanswered"),
        () = tokio::time::sleep(GRACE) => {
            tracing::warn!("requests that took longer than {GRACE:?} are left unanswered");
        }
    }
    Ok(Outcome::Done)
}

fn cannot_listen(address: &str, error: io::Error) -> anyhow::Error {
    let remedy = if error.kind() == io::ErrorKind::AddrInUse {
        "another program listens there: end it, or give another address with --listen (with port 0, any that is free)"
    } else {
        "give another address with --listen"
    };
    let told = format!("cannot listen on {address}: {error}; {remedy}");
    anyhow::Error::new(error).context(told)
}

fn done(ended: Result<(), JoinError>) -> Result<Outcome> {
    ended.context("the server panicked")?;
    tracing::info!("stopped");
    Ok(Outcome::Done)
}
