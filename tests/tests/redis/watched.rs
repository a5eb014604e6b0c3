//! A master and two replicas that three sentinels watch.

use std::path::Path;

use dogpile_tests::python::valkey_server;
use dogpile_tests::redis_server::RedisServer;
use redis::{RedisResult, Value};
use serde_json::{Value as Json, json};

use crate::peer::interpreter;
use crate::support::{try_client, until};

pub(crate) struct Watched {
    /// The first is the master at first.
    pub(crate) servers: Vec<RedisServer>,
    pub(crate) sentinels: Vec<RedisServer>,
}

impl Watched {
    pub(crate) fn start() -> Self {
        Self::start_program(Path::new("redis-server"))
    }

    /// Of Valkey.
    pub(crate) fn start_valkey() -> Self {
        Self::start_program(&valkey_server(&interpreter()))
    }

    fn start_program(program: &Path) -> Self {
        let mut options = vec!["--repl-diskless-sync-delay", "0"];
        let master = RedisServer::start_program(program, &options);
        let of_master = format!("127.0.0.1 {}", master.port());
        options.extend(["--replicaof", &of_master]);
        let mut servers = vec![master];
        servers.extend((0..2).map(|_| RedisServer::start_program(program, &options)));
        let file = format!(
            "sentinel monitor mymaster {of_master} 2\n\
             sentinel down-after-milliseconds mymaster 1000\n\
             sentinel failover-timeout mymaster 5000\n"
        );
        let sentinels = (0..3)
            .map(|_| RedisServer::start_sentinel_program(program, &file, &[]))
            .collect();
        let watched = Self { servers, sentinels };
        watched.until_complete();
        watched
    }

    /// Until the replicas have all, and each sentinel knows all others.
    pub(crate) fn until_complete(&self) {
        self.sentinels.iter().for_each(hurry);
        for sentinel in &self.sentinels {
            until("the sentinel knows all", || {
                let master = ask(sentinel, &["SENTINEL", "MASTER", "mymaster"]);
                let others = field(&master, "num-other-sentinels");
                others.as_deref() == Some("2")
                    && of_replicas(sentinel, "master-link-status") == ["ok", "ok"]
                    && of_replicas(sentinel, "flags") == ["slave", "slave"]
            });
        }
    }

    /// The arguments for it, with all reads from the master.
    pub(crate) fn arguments(&self) -> Json {
        let mut arguments = self.arguments_alone();
        arguments["read_from_replicas"] = json!(false);
        arguments
    }

    /// The arguments that there must be.
    pub(crate) fn arguments_alone(&self) -> Json {
        let places = self.sentinels.iter();
        let places = places.map(|sentinel| json!(["127.0.0.1", sentinel.port()]));
        json!({ "sentinels": places.collect::<Vec<_>>() })
    }

    /// Until all sentinels name the same master.
    pub(crate) fn until_agreed(&self) {
        until("all sentinels know", || {
            let named = |sentinel| {
                ask(
                    sentinel,
                    &["SENTINEL", "GET-MASTER-ADDR-BY-NAME", "mymaster"],
                )
            };
            let first = named(&self.sentinels[0]);
            self.sentinels
                .iter()
                .all(|sentinel| named(sentinel) == first)
        });
    }

    /// Which server is the master, as the sentinels see it.
    pub(crate) fn master(&self) -> usize {
        let told = ask(
            &self.sentinels[0],
            &["SENTINEL", "GET-MASTER-ADDR-BY-NAME", "mymaster"],
        );
        let (_, port): (String, u16) = redis::from_redis_value(told).unwrap();
        let mut servers = self.servers.iter();
        servers.position(|server| server.port() == port).unwrap()
    }

    /// Until another than that is the master, by its own word too. Gives which.
    pub(crate) fn until_replaced(&self, before: usize) -> usize {
        until("another is the master", || {
            let master = self.master();
            master != before && role(&self.servers[master]) == "master"
        });
        self.master()
    }
}

/// Redis 7 can do sooner what all do in the end.
pub(crate) fn hurry(sentinel: &RedisServer) {
    for period in ["INFO-PERIOD", "PUBLISH-PERIOD"] {
        let _set = try_ask(sentinel, &["SENTINEL", "DEBUG", period, "500"]);
    }
}

/// A sentinel of its own for the server on that port. Alone it elects nobody.
pub(crate) fn lone_sentinel(port: u16, lines: &str) -> RedisServer {
    let monitor = format!("sentinel monitor mymaster 127.0.0.1 {port} 2\n{lines}\n");
    RedisServer::start_sentinel(&monitor, &[])
}

/// What a server says of itself.
pub(crate) fn role(server: &RedisServer) -> String {
    match try_ask(server, &["ROLE"]) {
        Ok(Value::Array(parts)) => redis::from_redis_value(parts[0].clone()).unwrap(),
        other => format!("none: {other:?}"),
    }
}

/// How often a server was called so.
pub(crate) fn calls(server: &RedisServer, command: &str) -> u64 {
    let info: redis::InfoDict =
        redis::from_redis_value(ask(server, &["INFO", "commandstats"])).unwrap();
    let stats: Option<String> = info.get(&format!("cmdstat_{command}"));
    let calls = stats.and_then(|stats| {
        let calls = stats.split(',').next()?.strip_prefix("calls=")?;
        calls.parse().ok()
    });
    calls.unwrap_or(0)
}

pub(crate) fn ask(server: &RedisServer, command: &[&str]) -> Value {
    try_ask(server, command).unwrap()
}

/// A server that becomes a replica closes its connections.
pub(crate) fn try_ask(server: &RedisServer, command: &[&str]) -> RedisResult<Value> {
    let mut command_line = redis::cmd(command[0]);
    command_line.arg(&command[1..]);
    command_line.query(&mut try_client(server)?)
}

/// What a sentinel says of the replicas: their fields by that name.
pub(crate) fn of_replicas(sentinel: &RedisServer, name: &str) -> Vec<String> {
    match ask(sentinel, &["SENTINEL", "REPLICAS", "mymaster"]) {
        Value::Array(replicas) => {
            let fields = replicas.iter().filter_map(|replica| field(replica, name));
            fields.collect()
        }
        other => panic!("{other:?}"),
    }
}

fn field(fields: &Value, name: &str) -> Option<String> {
    let fields: Vec<String> = redis::from_redis_value(fields.clone()).ok()?;
    let mut pairs = fields.chunks_exact(2);
    pairs.find_map(|pair| (pair[0] == name).then(|| pair[1].clone()))
}
