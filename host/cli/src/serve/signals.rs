//! Signals that end or reload the server.

use std::sync::Arc;

use anyhow::{Context, Result};
use dogpile::Trigger;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::Service;

/// The signals that stop the server.
pub(super) struct Stop {
    terminate: Signal,
    interrupt: Signal,
}

pub(super) fn stop() -> Result<Stop> {
    Ok(Stop {
        terminate: wait_for(SignalKind::terminate())?,
        interrupt: wait_for(SignalKind::interrupt())?,
    })
}

impl Stop {
    /// The name of the one that comes.
    pub(super) async fn recv(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

/// From now on SIGHUP does not end the process.
pub(super) fn hangup() -> Result<Signal> {
    wait_for(SignalKind::hangup())
}

/// Reloads the manifest at each SIGHUP. The host logs the outcome.
pub(super) fn reload_on(mut hangup: Signal, service: Arc<Service>) {
    tokio::spawn(async move {
        while hangup.recv().await.is_some() {
            let service = Arc::clone(&service);
            let reload = move || service.host.reload_on(Trigger::Signal).is_ok();
            if let Err(error) = tokio::task::spawn_blocking(reload).await {
                tracing::error!(%error, "SIGHUP: the reload panicked");
            }
        }
    });
}

fn wait_for(kind: SignalKind) -> Result<Signal> {
    signal(kind).context("signals cannot be received")
}
