use std::sync::Arc;

use dogpile_plugin_api::{Error, Result};

use crate::arguments::RedisArguments;
use crate::sentinels::Sentinels;
use crate::server::{Servers, Single};
use crate::target::{Place, Target};

/// How a backend finds its servers.
pub(crate) trait Kind: 'static {
    /// Refuses arguments that are for others. Connects to nothing.
    fn servers(arguments: &RedisArguments) -> Result<Arc<dyn Servers>>;
}

/// There is one, and the arguments say where.
#[derive(Debug)]
pub enum OneServer {}

/// Sentinels say where they are.
#[derive(Debug)]
pub enum BySentinels {}

impl Kind for OneServer {
    fn servers(arguments: &RedisArguments) -> Result<Arc<dyn Servers>> {
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
            "it is for servers that sentinels watch: use the backend `redis_sentinel` or `valkey_sentinel`, or leave it \
             out",
        )?;
        let target = Target::new(arguments)?;
        let most = arguments.max_connections();
        Ok(Arc::new(Single::new(target, most)))
    }
}

impl Kind for BySentinels {
    fn servers(arguments: &RedisArguments) -> Result<Arc<dyn Servers>> {
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
        let server = Target::new(arguments)?;
        let sentinel = Target::of_sentinels(arguments)?;
        let sentinels = nodes
            .iter()
            .map(|node| sentinel.at(Place::Tcp(node.host.clone(), node.port)));
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

fn refuse(arguments: &[(&str, bool)], why: &str) -> Result<()> {
    match arguments.iter().find(|(_, is_given)| *is_given) {
        Some((argument, _)) => Err(Error::argument(*argument, why)),
        None => Ok(()),
    }
}
