//! The command's end of the socket.

use std::io;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::place;
use super::protocol::{Answer, Request};
use super::wire::{ANSWER, Broken, REQUEST, Wire};
use crate::manifest::Manifest;
use crate::region::{Explanation, Payload, ValueMetadata};
use crate::reload::Reload;
use crate::slot::Invalidation;
use crate::status::{HostStatus, PluginDescription};
use crate::{Error, ErrorKind, Result};
use rustix::net::sockopt::socket_peercred;
use rustix::process::{Uid, getuid};

/// How long a host may take to answer what needs no plugin to be opened.
const PATIENCE: Option<Duration> = Some(Duration::from_mins(1));

/// A connection to the running host of a manifest. Calls block until the host has answered.
pub struct Client {
    wire: Wire,
    socket: PathBuf,
}

impl Client {
    /// Connects to the host of the manifest at `path`; `None` if none listens.
    ///
    /// It is looked for in the usual folders, and where the manifest says, if it can be read.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Admin`] if something is there which may not be used.
    pub fn connect(path: &Path) -> Result<Option<Self>> {
        let usual = place::name(path).map(|name| {
            let folders = place::folders().into_iter();
            let ours = folders.filter(|folder| place::check(folder).is_ok());
            ours.map(|folder| folder.join(&name)).collect()
        });
        let mut places: Vec<PathBuf> = usual.unwrap_or_default();
        if let Ok(manifest) = Manifest::load(path) {
            places.extend(manifest.host().admin_socket.clone());
        }
        for socket in places {
            if let Some(client) = Self::connect_to(socket)? {
                return Ok(Some(client));
            }
        }
        Ok(None)
    }

    /// The folders in which [`Client::connect`] does not look for the socket of a host though they are there, each with the
    /// reason: others could have put it there.
    pub fn passed_over() -> Vec<String> {
        let folders = place::folders().into_iter();
        let reasons = folders.filter_map(|folder| match place::check(&folder) {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                Some(format!("{} {error}", folder.display()))
            }
            _ => None,
        });
        reasons.collect()
    }

    /// Connects to the host that listens at `socket`; `None` if none does.
    ///
    /// # Errors
    ///
    /// As [`Client::connect`].
    pub fn connect_to(socket: impl Into<PathBuf>) -> Result<Option<Self>> {
        let socket = socket.into();
        let failed = |what: &dyn std::fmt::Display| {
            Error::new(ErrorKind::Admin, format!("{}: {what}", socket.display()))
        };
        let stream = match UnixStream::connect(&socket) {
            Ok(stream) => stream,
            Err(error) if is_nobody(&error) => return Ok(None),
            Err(error) => return Err(failed(&error)),
        };
        let peer = socket_peercred(&stream)
            .map_err(|error| failed(&error))?
            .uid;
        if peer != getuid() && peer != Uid::ROOT && getuid() != Uid::ROOT {
            return Err(failed(&"the host that listens there is another user's"));
        }
        Ok(Some(Self {
            wire: Wire::new(stream, ANSWER),
            socket,
        }))
    }

    /// The socket of the host.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// The host's state.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Admin`] if the host goes, or does not answer within a minute; so with all calls.
    pub fn status(&mut self) -> Result<HostStatus> {
        match self.ask(&Request::Status, &[], PATIENCE)? {
            (Answer::Status(status), _) => Ok(*status),
            other => Err(self.unexpected(&other.0)),
        }
    }

    /// The host's plugins.
    ///
    /// # Errors
    ///
    /// As [`Client::status`].
    pub fn plugins(&mut self) -> Result<Vec<PluginDescription>> {
        match self.ask(&Request::Plugins, &[], PATIENCE)? {
            (Answer::Plugins(plugins), _) => Ok(plugins),
            other => Err(self.unexpected(&other.0)),
        }
    }

    /// Lets the host read its manifest again, and waits for the outcome as long as it takes.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`] with everything that is wrong with the manifest, of which nothing was applied; and
    /// as [`Client::status`].
    pub fn reload(&mut self) -> Result<Reload> {
        self.reloaded(&Request::Reload)
    }

    /// What a reload would change.
    ///
    /// # Errors
    ///
    /// As [`Client::reload`].
    pub fn plan(&mut self) -> Result<Reload> {
        self.reloaded(&Request::Plan)
    }

    /// What a reload would change if the manifest at `candidate` were in the place of the host's.
    ///
    /// # Errors
    ///
    /// As [`Client::reload`].
    pub fn plan_of(&mut self, candidate: &Path) -> Result<Reload> {
        let manifest = std::path::absolute(candidate).map_err(|error| {
            Error::new(
                ErrorKind::Admin,
                format!("{}: {error}", candidate.display()),
            )
        })?;
        self.reloaded(&Request::PlanOf { manifest })
    }

    fn reloaded(&mut self, request: &Request) -> Result<Reload> {
        match self.ask(request, &[], None)? {
            (Answer::Reload(reload), _) => Ok(reload),
            other => Err(self.unexpected(&other.0)),
        }
    }

    /// The payload of a key, by the host's [`Region::get_payload`](crate::Region::get_payload).
    ///
    /// # Errors
    ///
    /// The region's; and as [`Client::status`].
    pub fn get(&mut self, region: &str, key: &str) -> Result<Option<Payload>> {
        let (region, key) = (region.to_owned(), key.to_owned());
        match self.ask(&Request::Get { region, key }, &[], PATIENCE)? {
            (Answer::Value(times), bytes) => Ok(Some(Payload {
                bytes,
                metadata: ValueMetadata::from(times),
            })),
            (Answer::Absent, _) => Ok(None),
            other => Err(self.unexpected(&other.0)),
        }
    }

    /// Stores a payload, by the host's [`Region::set_payload`](crate::Region::set_payload).
    ///
    /// # Errors
    ///
    /// The region's; [`ErrorKind::Admin`] if it is larger than 16 MiB; and as [`Client::status`].
    pub fn set(&mut self, region: &str, key: &str, payload: &[u8]) -> Result<()> {
        if payload.len() > REQUEST.body {
            let message = format!(
                "a value of {} bytes is too large for the socket: {} is the most",
                payload.len(),
                REQUEST.body
            );
            return Err(Error::new(ErrorKind::Admin, message));
        }
        let (region, key) = (region.to_owned(), key.to_owned());
        self.done(&Request::Set { region, key }, payload)
    }

    /// Removes a key, by the host's [`Region::delete`](crate::Region::delete).
    ///
    /// # Errors
    ///
    /// The region's; and as [`Client::status`].
    pub fn delete(&mut self, region: &str, key: &str) -> Result<()> {
        let (region, key) = (region.to_owned(), key.to_owned());
        self.done(&Request::Delete { region, key }, &[])
    }

    /// Removes everything that the region's backend holds, by the host's [`Region::clear`](crate::Region::clear).
    ///
    /// # Errors
    ///
    /// The region's; and as [`Client::status`].
    pub fn clear(&mut self, region: &str) -> Result<()> {
        let region = region.to_owned();
        self.done(&Request::Clear { region }, &[])
    }

    /// Outdates all values of a region by the host's [`Region::invalidate`](crate::Region::invalidate); or, if there are
    /// `tags`, those that have one of them, by [`Region::invalidate_tags`](crate::Region::invalidate_tags).
    ///
    /// # Errors
    ///
    /// The region's; and as [`Client::status`].
    pub fn invalidate(&mut self, region: &str, how: Invalidation, tags: &[String]) -> Result<()> {
        let request = Request::Invalidate {
            region: region.to_owned(),
            soft: how == Invalidation::Soft,
            tags: tags.to_vec(),
        };
        self.done(&request, &[])
    }

    /// What a caller of a key would get, by the host's [`Region::explain`](crate::Region::explain).
    ///
    /// # Errors
    ///
    /// The region's; and as [`Client::status`].
    pub fn explain(&mut self, region: &str, key: &str) -> Result<Explanation> {
        let (region, key) = (region.to_owned(), key.to_owned());
        match self.ask(&Request::Explain { region, key }, &[], PATIENCE)? {
            (Answer::Explanation(explanation), _) => Ok(*explanation),
            other => Err(self.unexpected(&other.0)),
        }
    }

    fn done(&mut self, request: &Request, body: &[u8]) -> Result<()> {
        match self.ask(request, body, PATIENCE)? {
            (Answer::Done, _) => Ok(()),
            other => Err(self.unexpected(&other.0)),
        }
    }

    fn ask(
        &mut self,
        request: &Request,
        body: &[u8],
        time: Option<Duration>,
    ) -> Result<(Answer, Vec<u8>)> {
        // A host that turns this client away answers without having read.
        let sent = self.wire.write(request, body, PATIENCE);
        let answered = match self.wire.read(time) {
            Ok(Some(answered)) => answered,
            Ok(None) => return Err(self.broken(&sent.err().map_or("it went".to_owned(), text))),
            Err(Broken::Io(error)) => return Err(self.broken(&text(error))),
            Err(Broken::Refused(why)) => return Err(self.broken(&why)),
        };
        match answered {
            (Answer::Failed(failure), _) => Err(failure.into()),
            answered => Ok(answered),
        }
    }

    fn broken(&self, why: &str) -> Error {
        Error::new(
            ErrorKind::Admin,
            format!(
                "the running host did not answer at {}: {why}",
                self.socket.display()
            ),
        )
    }

    fn unexpected(&self, answer: &Answer) -> Error {
        self.broken(&format!("it answered something else: {answer:?}"))
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client")
            .field("socket", &self.socket)
            .finish_non_exhaustive()
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it ends here")]
fn text(error: io::Error) -> String {
    match error.kind() {
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => "it took too long".to_owned(),
        _ => error.to_string(),
    }
}

fn is_nobody(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionRefused, NotADirectory, NotFound};
    matches!(error.kind(), NotFound | ConnectionRefused | NotADirectory)
}
