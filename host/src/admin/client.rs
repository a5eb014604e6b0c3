//! The command's end of the socket.

use std::fs;
use std::io;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use super::place;
use super::protocol::{Answer, Request};
use super::wire::{ANSWER, Broken, REQUEST, Wire};
use crate::manifest::{self, Manifest};
use crate::region::{Explanation, Payload, ValueMetadata};
use crate::reload::Reload;
use crate::slot::Invalidation;
use crate::status::{HostStatus, PluginDescription};
use crate::trust::{Distrust, Trust};
use crate::{Error, ErrorKind, Result};
use rustix::io::Errno;
use rustix::net::sockopt::socket_peercred;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};
use rustix::process::{Pid, Uid, getuid};

/// How long a host may take to answer what needs no plugin to be opened.
const PATIENCE: Option<Duration> = Some(Duration::from_mins(1));

/// How long nothing may be heard of a host. One that works at an answer tells so more often, and one that answers too many
/// others lets a client wait for less.
const SILENCE: Duration = Duration::from_secs(20);

/// How often a host is tried that cannot take one more connection yet.
const AGAIN: Duration = Duration::from_millis(50);

/// A connection to the running host of a manifest. Calls block until the host has answered, or until nothing was heard of
/// it for 20 seconds: it is stopped, or hangs.
pub struct Client {
    wire: Wire,
    socket: PathBuf,
    /// The process that listens; 0 if it cannot be seen from here.
    process: i32,
    silence: Duration,
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
        if let Ok(name) = place::name(path) {
            for folder in usual_folders() {
                let socket = folder.join(&name);
                // It is ours, and so is what is in it; where a link leads is not yet.
                let found = match fs::read_link(&socket) {
                    Ok(target) => Self::connect_to(target),
                    Err(_) => Self::connect_in(socket, |_| Ok(())),
                };
                if let Some(client) = found? {
                    return Ok(Some(client));
                }
            }
        }
        set_place(path).map_or(Ok(None), Self::connect_to)
    }

    /// Where [`Client::connect`] looks: in which folders, and at the socket that the manifest names.
    pub fn places(path: &Path) -> Vec<PathBuf> {
        usual_folders().into_iter().chain(set_place(path)).collect()
    }

    /// Where [`Client::connect`] does not look though a host may listen there, each with the reason: in folders in which
    /// others could have put a socket, and at what a manifest names that cannot be read.
    pub fn passed_over(path: &Path) -> Vec<String> {
        let folders = place::folders().into_iter();
        let reasons = folders.filter_map(|folder| {
            let error = place::check(&folder).err().filter(is_refused)?;
            Some(format!("{} {error}", folder.display()))
        });
        let mut reasons: Vec<_> = reasons.collect();
        if set_place(path).is_none() && Manifest::load(path).is_err() {
            reasons.push(
                "the manifest may say, which cannot be read whole: see `dogpile check`".to_owned(),
            );
        }
        reasons
    }

    /// Connects to the host that listens at `socket`; `None` if none does.
    ///
    /// # Errors
    ///
    /// As [`Client::connect`].
    pub fn connect_to(socket: impl Into<PathBuf>) -> Result<Option<Self>> {
        let socket = socket.into();
        let judge = |tenant: Uid| {
            let trust = Trust::of_environment();
            trust.and_then(|trust| trust.judge_place(&socket, Some(tenant.as_raw())))
        };
        Self::connect_in(socket.clone(), judge)
    }

    /// Connects where `judge` says whether only a host of that user can be.
    fn connect_in(
        socket: PathBuf,
        judge: impl FnOnce(Uid) -> Result<(), Distrust>,
    ) -> Result<Option<Self>> {
        let failed = |what: &dyn std::fmt::Display| {
            Error::new(ErrorKind::Admin, format!("{}: {what}", socket.display()))
        };
        let stream = match connected(&socket, SILENCE) {
            Ok(stream) => stream,
            Err(error) if is_nobody(&error) => return Ok(None),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                let why = "the host that listens there has taken no connection for some time, since it is stopped or hangs: \
                           let it go on (`kill -CONT`), or restart it";
                return Err(failed(&why));
            }
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                let why = format!("{error}: run the command as the user of the host, or as root");
                return Err(failed(&why));
            }
            Err(error) if error.kind() == io::ErrorKind::InvalidFilename => {
                return Err(failed(
                    &"the path is too long for a socket: the most is 107 bytes",
                ));
            }
            Err(error) => return Err(failed(&error)),
        };
        let listening = socket_peercred(&stream).map_err(|error| failed(&error))?;
        let peer = listening.uid;
        if peer != getuid() && !peer.is_root() && !getuid().is_root() {
            return Err(failed(&"the host that listens there is another user's"));
        }
        judge(peer).map_err(|Distrust { message, remedy }| {
            failed(&format!(
                "who listens there, the user {}, may not be the host: it {message}; {remedy}",
                peer.as_raw()
            ))
        })?;
        Ok(Some(Self {
            wire: Wire::new(stream, ANSWER),
            socket,
            process: Pid::as_raw(Some(listening.pid)),
            silence: SILENCE,
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
    /// [`ErrorKind::Admin`] if the host goes, if nothing is heard of it for 20 seconds, or if it does not answer within a
    /// minute; so with all calls.
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

    /// Lets the host read its manifest again, and waits for the outcome as long as the host is at it.
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
    /// [`ErrorKind::Admin`] if its path is not UTF-8, by which the host is told of it; and as [`Client::reload`].
    pub fn plan_of(&mut self, candidate: &Path) -> Result<Reload> {
        let failed = |what: &dyn std::fmt::Display| {
            let message = format!("{}: {what}", candidate.display());
            Error::new(ErrorKind::Admin, message)
        };
        let manifest = std::path::absolute(candidate).map_err(|error| failed(&error))?;
        if manifest.to_str().is_none() {
            return Err(failed(
                &"its path is not UTF-8, so that the running host cannot be told of it; name it by a link to its folder \
                  (`ln -s`), or a copy, whose path is",
            ));
        }
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
        let deadline = time.map(|time| Instant::now() + time);
        // A host that turns this client away answers without having read.
        let sent = self.wire.write(request, body, Some(self.silence));
        loop {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            let patience = left.map_or(self.silence, |left| left.min(self.silence));
            return match self.wire.read(Some(patience)) {
                Ok(Some((Answer::Working, _))) => continue,
                Ok(Some((Answer::Failed(failure), _))) => Err(failure.into()),
                Ok(Some(answered)) => Ok(answered),
                Ok(None) => Err(self.broken(&sent.err().map_or("it went".to_owned(), text))),
                Err(Broken::Io(error)) if is_late(&error) && patience == self.silence => {
                    Err(self.silent())
                }
                Err(Broken::Io(error)) => Err(self.broken(&text(error))),
                Err(Broken::Refused(why)) => Err(self.broken(&why)),
            };
        }
    }

    /// Nothing was heard of the host.
    fn silent(&self) -> Error {
        let silence = self.silence;
        let remedy = match self.process {
            // A PID namespace that is not seen from here.
            0 => "look in its container whether `ps` shows T for it: then `kill -CONT` there lets it go on".to_owned(),
            process => format!(
                "if `ps -o stat= -p {process}` shows T, `kill -CONT {process}` lets it go on"
            ),
        };
        self.broken(&format!(
            "nothing was heard of it for {silence:?}; it is stopped or hangs: {remedy}, otherwise restart it. If it goes on, \
             what it was asked for may still be done"
        ))
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
    if is_late(&error) {
        "it took too long".to_owned()
    } else {
        error.to_string()
    }
}

fn is_late(error: &io::Error) -> bool {
    use io::ErrorKind::{TimedOut, WouldBlock};
    matches!(error.kind(), TimedOut | WouldBlock)
}

/// The usual folders, but for those in which others could have put a socket.
fn usual_folders() -> Vec<PathBuf> {
    let mut folders = place::folders();
    folders.retain(|folder| !place::check(folder).is_err_and(|error| is_refused(&error)));
    folders
}

fn is_refused(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::PermissionDenied
}

/// The socket that the manifest names, also if that has errors: a host may run that was started before they came, or with
/// other variables.
fn set_place(manifest: &Path) -> Option<PathBuf> {
    match Manifest::load(manifest) {
        Ok(manifest) => manifest.host().admin_socket.clone(),
        Err(_) => manifest::admin_socket_of(manifest),
    }
}

/// Connects, and waits for no longer than `time` for a host that has not taken those who came before.
fn connected(path: &Path, time: Duration) -> io::Result<UnixStream> {
    let deadline = Instant::now() + time;
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let address = SocketAddrUnix::new(path)?;
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    loop {
        match connect(&socket, &address) {
            Ok(()) => break,
            Err(Errno::AGAIN) if Instant::now() < deadline => thread::sleep(AGAIN),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let stream = UnixStream::from(socket);
    stream.set_nonblocking(false)?;
    Ok(stream)
}

/// Whether anybody listens, were it somebody who takes no connection.
pub(super) fn answers(path: &Path) -> bool {
    !connected(path, Duration::ZERO).is_err_and(|error| is_nobody(&error))
}

fn is_nobody(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionRefused, NotADirectory, NotFound};
    matches!(error.kind(), NotFound | ConnectionRefused | NotADirectory)
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::unix::net::UnixListener;

    use super::*;

    const SHORT: Duration = Duration::from_millis(50);

    fn listening() -> (tempfile::TempDir, PathBuf, UnixListener) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.sock");
        let listener = UnixListener::bind(&path).unwrap();
        // Two wait for it at the most: each takes descriptors of this process.
        rustix::net::listen(&listener, 1).unwrap();
        (folder, path, listener)
    }

    #[test]
    fn a_host_of_which_nothing_is_heard_is_given_up_and_the_remedy_is_told() {
        let (_folder, path, _listener) = listening();
        let mut client = Client::connect_to(&path).unwrap().unwrap();
        client.silence = SHORT;
        let errors = [
            client.status().unwrap_err(),
            client.reload().unwrap_err(),
            client.set("a", "b", &vec![0; 8 << 20]).unwrap_err(),
        ];
        for error in errors {
            assert_eq!(error.kind(), ErrorKind::Admin);
            let told = format!(
                "nothing was heard of it for 50ms; it is stopped or hangs: if `ps -o stat= -p {0}` shows T, `kill -CONT {0}`",
                std::process::id()
            );
            assert!(error.to_string().contains(&told), "{error}");
        }
    }

    #[test]
    fn of_a_host_in_another_container_no_number_is_told() {
        let (_folder, path, _listener) = listening();
        let mut client = Client::connect_to(&path).unwrap().unwrap();
        (client.silence, client.process) = (SHORT, 0);
        let told = client.status().unwrap_err().to_string();
        assert!(told.contains("look in its container"), "{told}");
    }

    #[test]
    fn a_host_that_takes_no_connection_is_given_up() {
        let (_folder, path, _listener) = listening();
        let mut others = Vec::new();
        let full = loop {
            match connected(&path, SHORT) {
                Ok(other) => others.push(other),
                Err(error) => break error,
            }
        };
        assert_eq!(full.kind(), io::ErrorKind::WouldBlock);
    }

    #[test]
    fn a_host_that_works_at_an_answer_is_waited_for() {
        let (_folder, path, listener) = listening();
        let mut client = Client::connect_to(&path).unwrap().unwrap();
        let (mut host, _) = listener.accept().unwrap();
        let working = "{\"version\":1,\"message\":\"working\"}\n".repeat(3);
        let answers = working.clone() + "{\"version\":1,\"message\":\"done\"}\n";
        host.write_all(answers.as_bytes()).unwrap();
        client.clear("a").unwrap();
        host.write_all(working.as_bytes()).unwrap();
        client.silence = SHORT;
        let error = client.clear("a").unwrap_err();
        assert!(error.to_string().contains("nothing was heard"), "{error}");
    }
}
