use std::sync::Arc;

use dogpile_net::endpoint::Place;
use dogpile_plugin_api::{Error, Result};

use crate::arguments::{ClusterLock, RedisArguments};
use crate::cluster::Cluster;
use crate::names::Layout;
use crate::sentinels::Sentinels;
use crate::servers::{Servers, Single};
use crate::target::Target;

/// How a backend finds its servers.
pub(crate) trait Kind: 'static {
    /// Refuses arguments that are for others. Connects to nothing.
    fn servers(arguments: &RedisArguments) -> Result<Arc<dyn Servers>>;

    /// Where locks lie.
    fn layout(_arguments: &RedisArguments) -> Layout {
        Layout::OneServer
    }
}

/// There is one, and the arguments say where.
#[derive(Debug)]
pub enum OneServer {}

/// Sentinels say where they are.
#[derive(Debug)]
pub enum BySentinels {}

/// They are those of a cluster.
#[derive(Debug)]
pub enum InCluster {}

const SENTINEL_PORT: u16 = 26379;
const PORT: u16 = 6379;

impl Kind for OneServer {
    fn servers(arguments: &RedisArguments) -> Result<Arc<dyn Servers>> {
        refuse_sentinels(arguments)?;
        refuse_cluster(arguments)?;
        let target = Target::new(arguments)?;
        let most = arguments.max_connections();
        Ok(Arc::new(Single::new(target, most)))
    }
}

impl Kind for BySentinels {
    fn servers(arguments: &RedisArguments) -> Result<Arc<dyn Servers>> {
        refuse_cluster(arguments)?;
        refuse(
            &[
                ("url", arguments.url.is_some()),
                ("host", arguments.host.is_some()),
                ("port", arguments.port.is_some()),
            ],
            "the sentinels say where the servers are: leave it out and name the `sentinels`, or use the backend `redis` \
             or `valkey` for a single server",
        )?;
        let nodes = arguments.sentinels.as_deref().unwrap_or_default();
        if nodes.is_empty() {
            return Err(Error::argument(
                "sentinels",
                "name the sentinels, such as [\"one:26379\", \"two:26379\", \"three:26379\"]",
            ));
        }
        if arguments.service_name.as_deref() == Some("") {
            return Err(Error::argument(
                "service_name",
                "it is no name: write what `SENTINEL MASTERS` calls the master, or leave it out for mymaster",
            ));
        }
        let server = Target::new(arguments)?;
        let sentinel = Target::of_sentinels(arguments)?;
        let sentinels = nodes
            .iter()
            .map(|node| sentinel.at(node.place(SENTINEL_PORT)));
        Ok(Arc::new(Sentinels::new(
            sentinels.collect(),
            arguments
                .service_name
                .clone()
                .unwrap_or_else(|| String::from("mymaster")),
            server,
            arguments.max_connections(),
            arguments.read_from_replicas.unwrap_or(true),
        )))
    }
}

impl Kind for InCluster {
    fn servers(arguments: &RedisArguments) -> Result<Arc<dyn Servers>> {
        refuse_sentinels(arguments)?;
        refuse(
            &[
                ("host", arguments.host.is_some()),
                ("port", arguments.port.is_some()),
            ],
            "a cluster has several nodes: name some as `startup_nodes`, such as [\"one:6379\", \"two:6379\"]",
        )?;
        let node = Target::new(arguments)?;
        if node.database != 0 {
            let argument = if arguments.db.is_some() { "db" } else { "url" };
            return Err(Error::argument(
                argument,
                "a cluster has the database 0 alone: leave the number out, and tell regions apart by `key_prefix`",
            ));
        }
        let places = match (&arguments.startup_nodes, &node.endpoint.place) {
            (Some(_), _) if arguments.url.is_some() => {
                return Err(Error::argument(
                    "startup_nodes",
                    "the `url` names one already: leave one of them out",
                ));
            }
            (Some(nodes), _) => nodes.iter().map(|node| node.place(PORT)).collect(),
            (None, Place::Unix(_)) => {
                return Err(Error::argument(
                    "url",
                    "the nodes of a cluster are reached by TCP alone: write redis://HOST:PORT",
                ));
            }
            (None, place) if arguments.url.is_some() => vec![place.clone()],
            (None, _) => Vec::new(),
        };
        if places.is_empty() {
            return Err(Error::argument(
                "startup_nodes",
                "name some nodes of the cluster, such as [\"one:6379\", \"two:6379\"]; the others are found by them",
            ));
        }
        let most = arguments.max_connections();
        Ok(Arc::new(Cluster::new(places, node, most)))
    }

    fn layout(arguments: &RedisArguments) -> Layout {
        match arguments.cluster_lock {
            None | Some(ClusterLock::Dogpile) => Layout::Apart,
            Some(ClusterLock::Hashtag) => Layout::Hashtag,
        }
    }
}

fn refuse_sentinels(arguments: &RedisArguments) -> Result<()> {
    refuse(
        &[
            ("sentinels", arguments.sentinels.is_some()),
            ("service_name", arguments.service_name.is_some()),
            ("sentinel_username", arguments.sentinel_username.is_some()),
            ("sentinel_password", arguments.sentinel_password.is_some()),
            ("sentinel_ssl", arguments.sentinel_ssl.is_some()),
            ("sentinel_timeout", arguments.sentinel_timeout.is_some()),
            ("read_from_replicas", arguments.read_from_replicas.is_some()),
        ],
        "it is for servers that sentinels watch: use the backend `redis_sentinel` or `valkey_sentinel`, or leave it out",
    )
}

fn refuse_cluster(arguments: &RedisArguments) -> Result<()> {
    refuse(
        &[
            ("startup_nodes", arguments.startup_nodes.is_some()),
            ("cluster_lock", arguments.cluster_lock.is_some()),
        ],
        "it is for a cluster: use the backend `redis_cluster` or `valkey_cluster`, or leave it out",
    )
}

fn refuse(arguments: &[(&str, bool)], why: &str) -> Result<()> {
    match arguments.iter().find(|(_, is_given)| *is_given) {
        Some((argument, _)) => Err(Error::argument(*argument, why)),
        None => Ok(()),
    }
}
