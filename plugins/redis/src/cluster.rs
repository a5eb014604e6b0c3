use std::sync::Arc;
use std::time::{Duration, Instant};

use dogpile_net::endpoint::Place;
use dogpile_net::per_process::PerProcess;
use dogpile_plugin_api::tracing::{debug, info};
use dogpile_plugin_api::{Error, Result};

use crate::failure::{CLUSTERED, Failure};
use crate::inquiry::{Informants, Inquiry, Knowledge, share};
use crate::redirect::Redirect;
use crate::server::Server;
use crate::servers::{Next, Servers};
use crate::slot_map::SlotMap;
use crate::slots::slot;
use crate::target::Target;
use crate::topology::{Topology, ask};

/// The masters of a cluster, each of which has some of the slots.
pub(crate) struct Cluster {
    /// Those nodes that the arguments name.
    startup_nodes: Vec<Place>,
    /// How nodes are spoken to, wherever they are.
    node: Target,
    max_connections: usize,
    live: PerProcess<Inquiry<SlotMap>>,
}

impl Cluster {
    pub(crate) fn new(startup_nodes: Vec<Place>, node: Target, max_connections: usize) -> Self {
        Self {
            startup_nodes,
            node,
            max_connections,
            live: PerProcess::new(Arc::default()),
        }
    }

    fn inquiry(&self) -> Arc<Inquiry<SlotMap>> {
        self.live.get(Arc::default)
    }

    /// Whom to ask: masters whose calls did not fail, from that on, and then all others.
    fn informants(&self, known: Option<&SlotMap>, first: usize) -> Vec<Target> {
        let (mut places, mut doubtful) = (Vec::new(), Vec::new());
        let masters = known.into_iter().flat_map(SlotMap::masters);
        for (server, is_doubtful) in masters {
            let place = server.target.endpoint.place.clone();
            if is_doubtful {
                doubtful.push(place);
            } else {
                places.push(place);
            }
        }
        if !places.is_empty() {
            let first = first % places.len();
            places.rotate_left(first);
        }
        let replicas = known.into_iter().flat_map(|map| &map.replicas);
        let others = replicas
            .chain(&self.startup_nodes)
            .filter(|place| !doubtful.contains(place));
        for place in others.chain(&doubtful) {
            if !places.contains(place) {
                places.push(place.clone());
            }
        }
        places
            .into_iter()
            .map(|place| self.node.at(place))
            .collect()
    }

    /// This is the cluster from now on.
    fn learn(&self, inquiry: &Inquiry<SlotMap>, topology: Topology) {
        let before = inquiry.known.load_full();
        let map = Arc::new(SlotMap::new(topology, |place| {
            self.at(place, before.as_deref())
        }));
        let is_known = |server: &Arc<Server>| map.servers().any(|known| Arc::ptr_eq(known, server));
        let Some(before) = inquiry.learn(&map) else {
            return debug!("the cluster of {} is known", self.node);
        };
        for server in before.servers().filter(|server| !is_known(server)) {
            info!(
                "the node {} of the cluster has no slots any more",
                server.target
            );
            // Who waits for a lock there waits where it is now.
            server.close();
        }
    }

    /// The server in that place: a known one, with its connections, or a new one.
    fn at(&self, place: &Place, known: Option<&SlotMap>) -> Arc<Server> {
        let mut servers = known.into_iter().flat_map(SlotMap::servers);
        match servers.find(|server| server.target.endpoint.place == *place) {
            Some(server) => Arc::clone(server),
            None => Arc::new(Server::new(
                &CLUSTERED,
                self.node.at(place.clone()),
                self.max_connections,
            )),
        }
    }

    /// That node is in that place, by the word of another; it is kept as `with` puts it into what is known.
    fn told(
        &self,
        place: &Place,
        with: impl Fn(&SlotMap, &Arc<Server>) -> Option<SlotMap>,
    ) -> Option<Arc<Server>> {
        let inquiry = self.inquiry();
        let mut server = None;
        inquiry.known.rcu(|known| {
            let map = known.as_ref()?;
            let told = self.at(place, Some(map));
            let new = with(map, &told).map_or_else(|| Arc::clone(map), Arc::new);
            server = Some(told);
            Some(new)
        });
        server
    }
}

impl Informants<SlotMap> for Cluster {
    /// Until one sees the cluster as up, and has heard of all that was heard of before. Where none does, whoever has heard
    /// of most is believed.
    fn ask(
        &self,
        inquiry: &Inquiry<SlotMap>,
        first: usize,
        deadline: Instant,
    ) -> (usize, Result<()>) {
        let known = inquiry.known.load_full();
        let heard = known.as_ref().map_or(0, |map| map.epoch);
        let nodes = self.informants(known.as_deref(), first);
        let (mut best, mut errors) = (None::<Topology>, Vec::new());
        for (turn, node) in nodes.iter().enumerate() {
            // The others, and who asks for all this, are to have their share.
            match ask(node, share(deadline, nodes.len() - turn + 1)) {
                Ok(topology) if topology.is_ok && topology.epoch >= heard => {
                    best = Some(topology);
                    break;
                }
                Ok(topology) => {
                    let rank = |topology: &Topology| (topology.is_ok, topology.epoch);
                    if best
                        .as_ref()
                        .is_none_or(|best| rank(best) < rank(&topology))
                    {
                        best = Some(topology);
                    }
                }
                Err(failure) => errors.push(failure.on(node, &CLUSTERED)),
            }
        }
        let next = first.wrapping_add(1);
        match best {
            Some(topology) => {
                self.learn(inquiry, topology);
                (next, Ok(()))
            }
            None => (next, Err(all_failed(&errors))),
        }
    }

    fn name(&self) -> String {
        String::from("the nodes of the cluster")
    }
}

impl Servers for Cluster {
    fn timeout(&self) -> Duration {
        self.node.timeout
    }

    fn slot(&self, key: &[u8]) -> Option<u16> {
        Some(slot(key))
    }

    fn writing(&self, slot: Option<u16>, deadline: Instant) -> Result<Arc<Server>> {
        let slot = slot.unwrap_or(0);
        let inquiry = self.inquiry();
        if let Some(map) = &*inquiry.known.load()
            && map.is_young()
            && map.has(slot)
            && let Some(server) = map.server(slot)
        {
            return Ok(Arc::clone(server));
        }
        let map = inquiry.known(self, |map| map.has(slot), deadline)?;
        match map.server(slot) {
            Some(server) => Ok(Arc::clone(server)),
            None => Err(Error::unavailable(format_args!(
                "no node of the cluster has the slot {slot}, in which the key is: see `CLUSTER NODES`, and give the slot \
                 to a master"
            ))),
        }
    }

    /// The master: a replica may not have heard of the last stores.
    fn reading(&self, slot: Option<u16>, deadline: Instant) -> Result<Arc<Server>> {
        self.writing(slot, deadline)
    }

    fn all(&self, deadline: Instant) -> Result<Vec<Arc<Server>>> {
        let inquiry = self.inquiry();
        let map = inquiry.known(self, |map| map.is_ok, deadline)?;
        if !map.is_ok {
            return Err(Error::unavailable(
                "the cluster is down, as its nodes see it: see `CLUSTER INFO` and `CLUSTER NODES`",
            ));
        }
        Ok(map
            .masters()
            .map(|(server, _)| Arc::clone(server))
            .collect())
    }

    fn failed(&self, server: &Arc<Server>, slot: Option<u16>, failure: &Failure) -> Next {
        let by = &server.target.endpoint.place;
        match (Redirect::of(failure, by), slot) {
            (Some(Redirect::Moved(place)), Some(slot)) => {
                let told = self.told(&place, |map, owner| {
                    map.outdate();
                    let is_known = map
                        .server(slot)
                        .is_some_and(|known| Arc::ptr_eq(known, owner));
                    (!is_known).then(|| map.moved(slot, owner))
                });
                told.map_or(Next::Fail, Next::Owner)
            }
            (Some(Redirect::Ask(place)), _) => {
                let told = self.told(&place, |map, guest| {
                    let mut known = map.servers();
                    let is_known = known.any(|known| Arc::ptr_eq(known, guest));
                    (!is_known).then(|| map.with_guest(guest))
                });
                told.map_or(Next::Fail, Next::Ask)
            }
            _ => self.gone(server, failure),
        }
    }

    fn close(&self) {
        self.inquiry().close();
    }
}

impl Cluster {
    fn gone(&self, server: &Arc<Server>, failure: &Failure) -> Next {
        if !failure.is_about_server() {
            return Next::Fail;
        }
        match &*self.inquiry().known.load() {
            // It is as good as before; another may have its slots.
            Some(map) if failure.is_code("CLUSTERDOWN") => map.outdate(),
            Some(map) => map.doubt(server),
            None => {}
        }
        Next::Another
    }
}

fn all_failed(errors: &[Error]) -> Error {
    let told: Vec<&str> = errors.iter().map(Error::message).collect();
    Error::unavailable(format_args!(
        "no node leads to the cluster: {}",
        told.join("; ")
    ))
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{Shutdown, TcpListener};
    use std::thread;

    use parking_lot::Mutex;

    use super::*;
    use crate::failure::refused_with;

    /// A node that says what it is told to say.
    struct Node {
        place: Place,
        says: Arc<Mutex<Option<String>>>,
    }

    impl Node {
        fn new() -> Self {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let port = listener.local_addr().unwrap().port();
            let says = Arc::new(Mutex::new(None));
            let node = Self {
                place: Place::Tcp(String::from("127.0.0.1"), port),
                says: Arc::clone(&says),
            };
            thread::spawn(move || {
                for stream in listener.incoming() {
                    let mut stream = stream.unwrap();
                    let said: Option<String> = says.lock().clone();
                    let _read = stream.read(&mut [0; 1000]);
                    if let Some(said) = said {
                        stream.write_all(said.as_bytes()).unwrap();
                    }
                    let _ended = stream.shutdown(Shutdown::Both);
                }
            });
            node
        }

        /// All slots are that node's, by what this one has heard.
        fn says(&self, epoch: u64, state: &str, master: &Self) {
            let Place::Tcp(host, port) = &master.place else {
                panic!("it has no port");
            };
            let info = format!("cluster_state:{state}\r\ncluster_current_epoch:{epoch}\r\n");
            *self.says.lock() = Some(format!(
                "*1\r\n*3\r\n:0\r\n:16383\r\n*3\r\n${}\r\n{host}\r\n:{port}\r\n$1\r\nx\r\n${}\r\n{info}\r\n",
                host.len(),
                info.len()
            ));
        }

        fn is_silent(&self) {
            *self.says.lock() = None;
        }
    }

    fn cluster(nodes: [&Node; 2]) -> Cluster {
        let times = r#"{ "socket_timeout": 20, "socket_connect_timeout": 5 }"#;
        let target = Target::new(&serde_json::from_str(times).unwrap()).unwrap();
        let places = nodes.map(|node| node.place.clone());
        Cluster::new(places.into(), target, 1)
    }

    /// That of all keys, but those that have moved.
    #[track_caller]
    fn master_is(cluster: &Cluster, slot: u16, node: &Node) -> Arc<Server> {
        let deadline = Instant::now() + cluster.timeout();
        let server = cluster.writing(Some(slot), deadline).unwrap();
        assert_eq!(server.target.endpoint.place, node.place);
        server
    }

    #[test]
    fn a_slot_that_has_moved_is_known_before_anybody_is_asked_again() {
        let [one, two] = [(); 2].map(|()| Node::new());
        let cluster = cluster([&one, &two]);
        one.says(1, "ok", &one);
        let server = master_is(&cluster, 1, &one);
        // Whoever is asked late says so too.
        one.says(2, "ok", &two);
        let moved = refused_with(&format!("MOVED 1 {}", cluster.node.at(two.place.clone())));
        let Next::Owner(owner) = cluster.failed(&server, Some(1), &moved) else {
            panic!("it is not believed");
        };
        assert!(Arc::ptr_eq(&owner, &master_is(&cluster, 1, &two)));
    }

    #[test]
    fn who_has_heard_of_less_or_sees_it_as_down_is_believed_only_alone() {
        let [one, two, three] = [(); 3].map(|()| Node::new());
        let cluster = cluster([&one, &two]);
        let is_master = |node: &Node| drop(master_is(&cluster, 1, node));
        let again = || {
            let inquiry = cluster.inquiry();
            inquiry.known.load().as_ref().unwrap().outdate();
            thread::sleep(Duration::from_millis(150));
        };
        one.says(9, "fail", &three);
        two.says(7, "ok", &one);
        is_master(&one);
        // From now on the first is asked first.
        again();
        one.says(6, "ok", &three);
        is_master(&one);
        again();
        two.says(8, "ok", &two);
        is_master(&two);
        again();
        two.is_silent();
        one.says(5, "fail", &three);
        is_master(&three);
    }
}
