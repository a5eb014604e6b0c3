use std::iter;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::inquiry::Knowledge;
use crate::server::Server;

/// The servers, and until when that is relied on.
pub(crate) struct Known {
    pub(crate) master: Arc<Server>,
    pub(crate) replicas: Vec<Arc<Server>>,
    until: Instant,
    /// A call of the master failed.
    is_doubtful: AtomicBool,
}

/// What a call is of.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    Master,
    Any,
}

/// How long what the sentinels said is used without asking again. Shorter than a failover takes, so that a master which
/// was replaced is not taken for one when it comes back.
const YOUNG: Duration = Duration::from_secs(1);

/// How long that is where none of them answers.
const UNANSWERED: Duration = Duration::from_secs(10);

impl Known {
    pub(crate) fn new(master: Arc<Server>, replicas: Vec<Arc<Server>>) -> Self {
        Self {
            master,
            replicas,
            until: Instant::now() + YOUNG,
            is_doubtful: AtomicBool::new(false),
        }
    }

    pub(crate) fn has(&self, wanted: Wanted) -> bool {
        let reads = wanted == Wanted::Any && !self.replicas.is_empty();
        reads || !self.is_doubtful()
    }

    pub(crate) fn servers(&self) -> impl Iterator<Item = &Arc<Server>> {
        iter::once(&self.master).chain(&self.replicas)
    }

    /// The same, after the sentinels did not lead to a master. Where none of them answers there is no better one: it is
    /// used until a call fails again.
    pub(crate) fn renewed(&self, is_silent: bool) -> Arc<Self> {
        let until = Instant::now() + if is_silent { UNANSWERED } else { YOUNG };
        let is_doubtful = !is_silent && self.is_doubtful();
        self.with(self.replicas.clone(), until, is_doubtful)
    }

    pub(crate) fn without(&self, replica: &Arc<Server>) -> Arc<Self> {
        let others = self
            .replicas
            .iter()
            .filter(|other| !Arc::ptr_eq(other, replica));
        self.with(others.cloned().collect(), self.until, self.is_doubtful())
    }

    fn with(&self, replicas: Vec<Arc<Server>>, until: Instant, is_doubtful: bool) -> Arc<Self> {
        Arc::new(Self {
            master: Arc::clone(&self.master),
            replicas,
            until,
            is_doubtful: AtomicBool::new(is_doubtful),
        })
    }

    /// The master is not to be relied on, until it is known anew.
    pub(crate) fn doubt(&self) {
        self.is_doubtful.store(true, Ordering::Relaxed);
    }

    fn is_doubtful(&self) -> bool {
        self.is_doubtful.load(Ordering::Relaxed)
    }
}

impl Knowledge for Known {
    fn is_young(&self) -> bool {
        Instant::now() < self.until
    }

    fn close(&self) {
        self.servers().for_each(|server| server.close());
    }
}
