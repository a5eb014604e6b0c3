//! A cluster of three masters, each of which may have a replica.

use std::path::Path;

use dogpile_tests::redis_server::RedisServer;
use redis::Value;
use serde_json::{Value as Json, json};

use crate::support::until;
use crate::watched::try_ask;

pub(crate) struct Clustered {
    /// The masters at first, and then the replicas of each.
    pub(crate) nodes: Vec<RedisServer>,
}

/// How long a node is silent until the others take it for dead: longer than any test, or as short as a machine allows that
/// has much to do.
pub(crate) const NO_FAILOVER: &str = "60000";
pub(crate) const FAILOVER: &str = "1500";

/// How a cluster is made.
pub(crate) struct Setup<'s> {
    pub(crate) program: &'s Path,
    pub(crate) node_timeout: &'s str,
    pub(crate) replicas: bool,
    pub(crate) options: &'s [&'s str],
    /// What the nodes want to hear.
    pub(crate) password: Option<&'s str>,
}

impl Default for Setup<'_> {
    fn default() -> Self {
        Self {
            program: Path::new("redis-server"),
            node_timeout: NO_FAILOVER,
            replicas: false,
            options: &[],
            password: None,
        }
    }
}

impl Clustered {
    /// Three masters.
    pub(crate) fn start() -> Self {
        Self::with(&Setup::default())
    }

    pub(crate) fn with(setup: &Setup<'_>) -> Self {
        let mut options = vec!["--cluster-enabled", "yes", "--cluster-port", "{free}"];
        options.extend(["--cluster-node-timeout", setup.node_timeout]);
        options.extend(["--repl-diskless-sync-delay", "0"]);
        options.extend(setup.options);
        let count = if setup.replicas { 6 } else { 3 };
        let nodes = (0..count).map(|_| RedisServer::start_program(setup.program, &options));
        let nodes: Vec<RedisServer> = nodes.collect();
        let ask = |at: usize, command: &[&str]| {
            let mut line = redis::cmd(command[0]);
            line.arg(&command[1..]);
            line.query::<Value>(&mut setup.client(&nodes[at])).unwrap()
        };
        for (at, range) in [
            (0, ["0", "5460"]),
            (1, ["5461", "10922"]),
            (2, ["10923", "16383"]),
        ] {
            ask(at, &["CLUSTER", "ADDSLOTSRANGE", range[0], range[1]]);
        }
        for at in 0..count {
            ask(at, &["CLUSTER", "SET-CONFIG-EPOCH", &(at + 1).to_string()]);
        }
        let (first, bus) = (place(&nodes[0]), bus_port(&mut setup.client(&nodes[0])));
        for at in 1..count {
            ask(at, &["CLUSTER", "MEET", &first.0, &first.1, &bus]);
        }
        let knows = |at: usize, line: &str| {
            let info: String = redis::from_redis_value(ask(at, &["CLUSTER", "INFO"])).unwrap();
            info.lines().any(|found| found == line)
        };
        let all = format!("cluster_known_nodes:{count}");
        until("all nodes know each other", || {
            (0..count).all(|at| knows(at, &all) && knows(at, "cluster_state:ok"))
        });
        for at in 3..count {
            let master = ask(at - 3, &["CLUSTER", "MYID"]);
            let master: String = redis::from_redis_value(master).unwrap();
            ask(at, &["CLUSTER", "REPLICATE", &master]);
        }
        for at in 3..count {
            until("a replica has all", || {
                let role: Vec<Value> = redis::from_redis_value(ask(at, &["ROLE"])).unwrap();
                role.get(3) == Some(&Value::BulkString(b"connected".to_vec()))
            });
        }
        until("all nodes know all replicas", || {
            (0..count).all(|at| {
                let nodes: String =
                    redis::from_redis_value(ask(at, &["CLUSTER", "NODES"])).unwrap();
                nodes.matches("slave ").count() == count - 3
                    && nodes.matches("master ").count() == 3
                    && !nodes.contains("handshake")
            })
        });
        Self { nodes }
    }

    /// The arguments for it.
    pub(crate) fn arguments(&self) -> Json {
        let [one, two, three] = [0, 1, 2].map(|at: usize| self.nodes[at].port());
        json!({
            "startup_nodes": [
                format!("127.0.0.1:{one}"),
                ["127.0.0.1", two],
                { "host": "127.0.0.1", "port": three },
            ],
        })
    }

    /// The arguments, in either language, for who knows of that node alone.
    pub(crate) fn place(&self, at: usize) -> Json {
        json!({ "startup_nodes": [format!("127.0.0.1:{}", self.nodes[at].port())] })
    }

    /// The id of a node.
    pub(crate) fn id(&self, at: usize) -> String {
        let id = try_ask(&self.nodes[at], &["CLUSTER", "MYID"]).unwrap();
        redis::from_redis_value(id).unwrap()
    }

    /// Moves a slot with all its keys from one master to another, in the steps that `redis-cli` takes; `meanwhile` happens
    /// when half of them have moved.
    pub(crate) fn move_slot(&self, slot: u16, from: usize, to: usize, meanwhile: impl FnOnce()) {
        let (slot, source, target) = (slot.to_string(), self.id(from), self.id(to));
        let ask = |at: usize, command: &[&str]| try_ask(&self.nodes[at], command).unwrap();
        ask(to, &["CLUSTER", "SETSLOT", &slot, "IMPORTING", &source]);
        ask(from, &["CLUSTER", "SETSLOT", &slot, "MIGRATING", &target]);
        let port = self.nodes[to].port().to_string();
        let migrate = |count: &str| {
            let keys = ask(from, &["CLUSTER", "GETKEYSINSLOT", &slot, count]);
            let keys: Vec<Vec<u8>> = redis::from_redis_value(keys).unwrap();
            if keys.is_empty() {
                return false;
            }
            let mut command = redis::cmd("MIGRATE");
            command.arg("127.0.0.1").arg(&port).arg("").arg(0).arg(5000);
            command.arg("KEYS").arg(keys);
            let mut client = crate::support::client(&self.nodes[from]);
            command.query::<Value>(&mut client).unwrap();
            true
        };
        let count = ask(from, &["CLUSTER", "COUNTKEYSINSLOT", &slot]);
        let count: u64 = redis::from_redis_value(count).unwrap();
        if count > 1 {
            migrate(&(count / 2).to_string());
        }
        meanwhile();
        while migrate("100") {}
        for at in [to, from, 3 - from - to] {
            ask(at, &["CLUSTER", "SETSLOT", &slot, "NODE", &target]);
        }
    }

    /// Which of the masters at first has that key's slot at first.
    pub(crate) fn owner(&self, key: &str) -> usize {
        match self.slot(key) {
            0..=5460 => 0,
            5461..=10922 => 1,
            _ => 2,
        }
    }

    pub(crate) fn slot(&self, key: &str) -> u16 {
        let slot = try_ask(&self.nodes[0], &["CLUSTER", "KEYSLOT", key]).unwrap();
        redis::from_redis_value(slot).unwrap()
    }
}

impl Setup<'_> {
    fn client(&self, node: &RedisServer) -> redis::Connection {
        let mut client = crate::support::client(node);
        if let Some(password) = self.password {
            redis::cmd("AUTH").arg(password).exec(&mut client).unwrap();
        }
        client
    }
}

fn place(node: &RedisServer) -> (String, String) {
    (String::from("127.0.0.1"), node.port().to_string())
}

fn bus_port(client: &mut redis::Connection) -> String {
    let found: Vec<String> = redis::cmd("CONFIG")
        .arg(&["GET", "cluster-port"])
        .query(client)
        .unwrap();
    found[1].clone()
}
