use std::fmt;
use std::time::Duration;

use dogpile_net::endpoint::{Endpoint, Place};
use dogpile_net::secret::Secret;
use dogpile_net::tls::{Files, Tls};
use dogpile_plugin_api::{Error, Result};
use redis::{ConnectionAddr, IntoConnectionInfo};

use crate::arguments::RedisArguments;

/// A server, and how it is spoken to.
#[derive(Clone)]
pub(crate) struct Target {
    pub(crate) endpoint: Endpoint,
    pub(crate) username: Option<String>,
    pub(crate) password: Option<Secret>,
    pub(crate) database: u32,
    pub(crate) timeout: Duration,
    /// Whether all callers share one connection.
    pub(crate) multiplex: bool,
}

/// What a URL says.
#[derive(Debug, PartialEq, Eq)]
struct Url {
    place: Place,
    ssl: bool,
    username: Option<String>,
    password: Option<Secret>,
    database: Option<u32>,
}

impl Target {
    /// What the arguments say, with the files that they name. Nothing is connected.
    pub(crate) fn new(arguments: &RedisArguments) -> Result<Self> {
        let url = match &arguments.url {
            Some(url) => {
                agree(arguments)?;
                Url::parse(url.reveal())?
            }
            None => Url {
                place: Place::Tcp(
                    arguments
                        .host
                        .clone()
                        .unwrap_or_else(|| String::from("localhost")),
                    arguments.port.unwrap_or(6379),
                ),
                ssl: false,
                username: None,
                password: None,
                database: None,
            },
        };
        let argument = |else_it| {
            if arguments.url.is_some() {
                "url"
            } else {
                else_it
            }
        };
        if let Place::Tcp(host, port) = &url.place {
            if host.is_empty() {
                return Err(Error::argument(
                    argument("host"),
                    "it is no name: write one, or leave it out for localhost",
                ));
            }
            if *port == 0 {
                return Err(Error::argument(
                    argument("port"),
                    "0 is no port: write one from 1 to 65535, or leave it out for 6379",
                ));
            }
        }
        let username = once("username", arguments.username.clone(), url.username)?;
        let password = once("password", arguments.password.clone(), url.password)?;
        has_password("password", username.as_ref(), password.as_ref())?;
        if url.ssl && arguments.ssl == Some(false) {
            return Err(Error::argument(
                "ssl",
                "it is false, but the `url` asks for TLS",
            ));
        }
        let ssl = url.ssl || arguments.ssl == Some(true);
        Ok(Self {
            endpoint: Endpoint {
                tls: tls(arguments, ssl, &url.place)?,
                place: url.place,
                connect_timeout: arguments.socket_connect_timeout.duration(),
                keepalive: arguments.socket_keepalive,
            },
            username,
            password,
            database: once("db", arguments.db, url.database)?.unwrap_or(0),
            timeout: arguments.socket_timeout.duration(),
            multiplex: arguments.multiplex,
        })
    }

    /// What the arguments say of the sentinels, but for their places.
    pub(crate) fn of_sentinels(arguments: &RedisArguments) -> Result<Self> {
        let username = arguments.sentinel_username.clone();
        let password = arguments.sentinel_password.clone();
        has_password("sentinel_password", username.as_ref(), password.as_ref())?;
        let tls = match arguments.sentinel_ssl {
            Some(true) => Some(Tls::new(&files("sentinel_ssl", arguments))?),
            _ => None,
        };
        let timeout = arguments.sentinel_timeout().duration();
        Ok(Self {
            endpoint: Endpoint {
                place: Place::Tcp(String::new(), 0),
                tls,
                connect_timeout: timeout,
                keepalive: false,
            },
            username,
            password,
            database: 0,
            timeout,
            multiplex: false,
        })
    }

    /// Another in that place, which is spoken to alike.
    pub(crate) fn at(&self, place: Place) -> Self {
        let mut target = self.clone();
        target.endpoint.place = place;
        target
    }
}

/// Who has a name logs in with a password too.
fn has_password(
    argument: &str,
    username: Option<&String>,
    password: Option<&Secret>,
) -> Result<()> {
    if username.is_some() && password.is_none() {
        return Err(Error::argument(
            argument,
            "there is a user's name, and no password",
        ));
    }
    Ok(())
}

/// The files for TLS, which that argument asks for.
fn files<'a>(tls: &'static str, arguments: &'a RedisArguments) -> Files<'a> {
    Files {
        tls,
        authorities: ("ssl_ca_certs", arguments.ssl_ca_certs.as_deref()),
        certificate: ("ssl_certfile", arguments.ssl_certfile.as_deref()),
        key: ("ssl_keyfile", arguments.ssl_keyfile.as_deref()),
    }
}

/// The server's address, without secrets.
impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.endpoint.place.fmt(f)
    }
}

/// The URL says where the server is: no other argument does.
fn agree(arguments: &RedisArguments) -> Result<()> {
    for (argument, given) in [
        ("host", arguments.host.is_some()),
        ("port", arguments.port.is_some()),
    ] {
        if given {
            return Err(Error::argument(
                argument,
                "the `url` says it: leave one of them out",
            ));
        }
    }
    Ok(())
}

fn once<T>(argument: &str, given: Option<T>, by_url: Option<T>) -> Result<Option<T>> {
    if given.is_some() && by_url.is_some() {
        return Err(Error::argument(
            argument,
            "the `url` has one too: leave one of them out",
        ));
    }
    Ok(given.or(by_url))
}

fn tls(arguments: &RedisArguments, ssl: bool, place: &Place) -> Result<Option<Tls>> {
    let files = files("ssl", arguments);
    if !ssl {
        let is_for_sentinels = arguments.sentinel_ssl == Some(true);
        let named = [files.authorities, files.certificate, files.key];
        return match named.iter().find(|(_, file)| file.is_some()) {
            Some((argument, _)) if !is_for_sentinels => Err(Error::argument(
                *argument,
                "it is for TLS, which is off: add `ssl = true`, or begin the URL with rediss://",
            )),
            _ => Ok(None),
        };
    }
    if matches!(place, Place::Unix(_)) {
        return Err(Error::argument("ssl", "there is no TLS on a Unix socket"));
    }
    Tls::new(&files).map(Some)
}

impl Url {
    /// The text is never shown: it may hold a password.
    fn parse(text: &str) -> Result<Self> {
        let wrong = |what: &str| {
            Error::argument(
                "url",
                format!(
                    "{what}: write redis://USER:PASSWORD@HOST:PORT/DB, rediss://… for TLS, or unix:///PATH?db=DB"
                ),
            )
        };
        let Some(mut url) = redis::parse_redis_url(text) else {
            return Err(wrong("it is no URL of a Redis server"));
        };
        if url.fragment().is_some() {
            return Err(wrong(
                "it ends with a fragment (#…), which means nothing; certificates are always checked",
            ));
        }
        let ssl = matches!(url.scheme(), "rediss" | "valkeys");
        let is_unix = url.scheme().contains("unix");
        let mut database = None;
        for (name, value) in url.query_pairs() {
            match &*name {
                "db" => database = Some(value.into_owned()),
                _ => {
                    return Err(wrong(&format!(
                        "it has the option `{name}`, which is to be an argument of its own"
                    )));
                }
            }
        }
        let path = url.path().trim_matches('/');
        if !is_unix && !path.is_empty() {
            if database.is_some() {
                return Err(wrong("it names two databases"));
            }
            database = Some(path.to_owned());
        }
        let database = database
            .map(|number| {
                number
                    .parse()
                    .map_err(|_| wrong("its database is no number"))
            })
            .transpose()?;
        // The rest of it is as the crate reads it, without its TLS. Its errors could hold parts of the text.
        if ssl {
            url.set_scheme("redis")
                .map_err(|()| wrong("its scheme cannot be read"))?;
        }
        let info = url
            .into_connection_info()
            .map_err(|_| wrong("its host, user or password cannot be read"))?;
        let place = match info.addr() {
            ConnectionAddr::Tcp(host, port) => Place::Tcp(host.clone(), *port),
            ConnectionAddr::Unix(path) => Place::Unix(path.clone()),
            _ => return Err(wrong("it is no URL of a Redis server")),
        };
        let login = info.redis_settings();
        Ok(Self {
            place,
            ssl,
            username: login.username().map(str::to_owned),
            password: login.password().map(Secret::from),
            database,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(place: Place) -> Url {
        Url {
            place,
            ssl: false,
            username: None,
            password: None,
            database: None,
        }
    }

    #[test]
    fn urls_are_read_as_dogpile_reads_them() {
        let cache = |port| Place::Tcp("cache".into(), port);
        assert_eq!(Url::parse("redis://cache").unwrap(), url(cache(6379)));
        assert_eq!(
            Url::parse("valkeys://al%40ice:s%3Acret@cache:7000/2").unwrap(),
            Url {
                ssl: true,
                username: Some("al@ice".into()),
                password: Some("s:cret".into()),
                database: Some(2),
                ..url(cache(7000))
            }
        );
        assert_eq!(
            Url::parse("redis://:pw@[::1]:1?db=3").unwrap(),
            Url {
                password: Some("pw".into()),
                database: Some(3),
                ..url(Place::Tcp("::1".into(), 1))
            }
        );
        assert_eq!(
            Url::parse("unix:///run/redis.sock?db=4").unwrap(),
            Url {
                database: Some(4),
                ..url(Place::Unix("/run/redis.sock".into()))
            }
        );
    }

    #[test]
    fn what_is_no_url_of_a_server_is_refused_without_its_secrets() {
        for wrong in [
            "",
            "hunter2",
            "http://:hunter2@cache",
            "redis://:hunter2@cache/x",
            "redis://:hunter2@cache:port",
            "redis://:hunter2@cache/1?db=1",
            "redis://:hunter2@cache?socket_timeout=1",
            "rediss://:hunter2@cache#insecure",
            "redis://:hunter2@",
            "unix:///run/redis.sock?db=hunter2",
        ] {
            let error = Url::parse(wrong).unwrap_err();
            assert_eq!(error.place(), Some("url"), "{wrong}");
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
        }
    }
}
