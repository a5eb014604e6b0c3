use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use dogpile_net::endpoint::Place;

use crate::inquiry::Knowledge;
use crate::server::Server;
use crate::slots::SLOTS;
use crate::topology::Topology;

/// Which server has which slots.
pub(crate) struct SlotMap {
    owners: Vec<Owner>,
    /// For each slot the place of its owner above, or beyond.
    by_slot: Box<[u16]>,
    /// Others who know the same.
    pub(crate) replicas: Vec<Place>,
    /// To whom keys are on their way, who had no slots of their own when this was told.
    guests: Vec<Arc<Server>>,
    pub(crate) is_ok: bool,
    pub(crate) epoch: u64,
    /// There is something newer.
    is_stale: AtomicBool,
}

struct Owner {
    server: Arc<Server>,
    /// A call of it failed.
    is_doubtful: AtomicBool,
}

const NOBODY: u16 = u16::MAX;

impl SlotMap {
    /// What a node says, with the servers that `at` gives for each place.
    pub(crate) fn new(topology: Topology, mut at: impl FnMut(&Place) -> Arc<Server>) -> Self {
        let mut map = Self {
            owners: Vec::new(),
            by_slot: vec![NOBODY; SLOTS.into()].into(),
            replicas: Vec::new(),
            guests: Vec::new(),
            is_ok: topology.is_ok,
            epoch: topology.epoch,
            // One that is down may come back at any time.
            is_stale: AtomicBool::new(!topology.is_ok),
        };
        for range in topology.ranges {
            let known = map.owners.iter();
            let server = known
                .map(|owner| &owner.server)
                .find(|server| server.target.endpoint.place == range.master)
                .map_or_else(|| at(&range.master), Arc::clone);
            let owner = map.owner(&server);
            for slot in range.slots {
                map.by_slot[usize::from(slot)] = owner;
            }
            for replica in range.replicas {
                if !map.replicas.contains(&replica) {
                    map.replicas.push(replica);
                }
            }
        }
        map
    }

    /// The same, after a node said that the slot is that server's.
    pub(crate) fn moved(&self, slot: u16, server: &Arc<Server>) -> Self {
        let mut map = self.copy();
        let owner = map.owner(server);
        map.by_slot[usize::from(slot)] = owner;
        map.guests.retain(|guest| !Arc::ptr_eq(guest, server));
        map
    }

    /// The same, with one who is to have keys.
    pub(crate) fn with_guest(&self, server: &Arc<Server>) -> Self {
        let mut map = self.copy();
        map.guests.push(Arc::clone(server));
        map
    }

    fn copy(&self) -> Self {
        let owners = self.owners.iter().map(|owner| Owner {
            server: Arc::clone(&owner.server),
            is_doubtful: AtomicBool::new(owner.is_doubtful()),
        });
        Self {
            owners: owners.collect(),
            by_slot: self.by_slot.clone(),
            replicas: self.replicas.clone(),
            guests: self.guests.clone(),
            is_ok: self.is_ok,
            epoch: self.epoch,
            is_stale: AtomicBool::new(self.is_stale.load(Ordering::Relaxed)),
        }
    }

    /// Where it is among the owners.
    fn owner(&mut self, server: &Arc<Server>) -> u16 {
        let mut owners = self.owners.iter();
        let place = owners
            .position(|owner| Arc::ptr_eq(&owner.server, server))
            .unwrap_or_else(|| {
                self.owners.push(Owner {
                    server: Arc::clone(server),
                    is_doubtful: AtomicBool::new(false),
                });
                self.owners.len() - 1
            });
        // There are no more owners than slots.
        u16::try_from(place).unwrap_or(NOBODY)
    }

    /// Who has the slot.
    pub(crate) fn server(&self, slot: u16) -> Option<&Arc<Server>> {
        Some(&self.owner_of(slot)?.server)
    }

    /// Whether somebody has it whose last call did not fail.
    pub(crate) fn has(&self, slot: u16) -> bool {
        self.owner_of(slot)
            .is_some_and(|owner| !owner.is_doubtful())
    }

    fn owner_of(&self, slot: u16) -> Option<&Owner> {
        let place = self.by_slot.get(usize::from(slot))?;
        self.owners.get(usize::from(*place))
    }

    /// Those that have slots, each with whether its last call failed.
    pub(crate) fn masters(&self) -> impl Iterator<Item = (&Arc<Server>, bool)> {
        let owners = self.owners.iter();
        owners.map(|owner| (&owner.server, owner.is_doubtful()))
    }

    /// Those to which there may be connections.
    pub(crate) fn servers(&self) -> impl Iterator<Item = &Arc<Server>> {
        let owners = self.owners.iter().map(|owner| &owner.server);
        owners.chain(&self.guests)
    }

    /// A call of that one failed.
    pub(crate) fn doubt(&self, server: &Arc<Server>) {
        for owner in &self.owners {
            if Arc::ptr_eq(&owner.server, server) {
                owner.is_doubtful.store(true, Ordering::Relaxed);
            }
        }
        self.outdate();
    }

    /// It is to be asked for anew, and is used meanwhile.
    pub(crate) fn outdate(&self) {
        self.is_stale.store(true, Ordering::Relaxed);
    }
}

impl Knowledge for SlotMap {
    fn is_young(&self) -> bool {
        !self.is_stale.load(Ordering::Relaxed)
    }

    fn close(&self) {
        self.servers().for_each(|server| server.close());
    }
}

impl Owner {
    fn is_doubtful(&self) -> bool {
        self.is_doubtful.load(Ordering::Relaxed)
    }
}
