//! The socket in the file system: its file, the lock beside it, and a link in the usual place.

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, fchmod};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, socket_with};

use super::client::answers;
use super::lock_file::LockFile;
use super::place;

/// So many clients may have come that were not let in yet.
const BACKLOG: i32 = 128;

/// Where the socket is to be, and where it is looked for.
pub(super) struct Where {
    pub(super) socket: PathBuf,
    pub(super) usual: Option<PathBuf>,
}

/// What a host has made of it.
pub(super) struct Files {
    socket: PathBuf,
    /// Device and inode of the socket, once it is made.
    made: Option<(u64, u64)>,
    /// A link in the usual place to a socket elsewhere.
    link: Option<PathBuf>,
    lock: Option<LockFile>,
    /// The process that made it.
    process: u32,
    /// Whether it was told that they cannot be put back.
    pub(super) is_told: bool,
}

/// What became of the files since the last look.
pub(super) enum Found {
    InPlace,
    /// They had gone, and this is the socket that was made anew.
    Anew(UnixListener),
    /// Another host has made its own in their place.
    Taken,
}

impl Where {
    /// The socket with its files, unless another host has it.
    pub(super) fn take(&self) -> io::Result<Option<(Files, UnixListener)>> {
        let Some(lock) = self.lock()? else {
            return Ok(None);
        };
        // From here on, what was made is taken away again when something fails.
        let mut files = Files {
            made: None,
            link: None,
            lock: Some(lock),
            process: std::process::id(),
            socket: self.socket.clone(),
            is_told: false,
        };
        if self.has_link_of_another()? {
            return Ok(None);
        }
        let listener = files.listen()?;
        self.link(&mut files);
        tracing::debug!(target: "dogpile.admin", socket = %self.socket.display(), "listening");
        Ok(Some((files, listener)))
    }

    /// The file of the lock.
    pub(super) fn lock_path(&self) -> PathBuf {
        lock_of(&self.socket)
    }

    /// Whether a host that has its socket elsewhere is linked in the usual place. The link of one that has died is removed.
    fn has_link_of_another(&self) -> io::Result<bool> {
        let is_link = fs::symlink_metadata(&self.socket).is_ok_and(|found| found.is_symlink());
        if !self.is_usual() || !is_link {
            return Ok(false);
        }
        if answers(&self.socket) {
            return Ok(true);
        }
        fs::remove_file(&self.socket)?;
        Ok(false)
    }

    fn is_usual(&self) -> bool {
        self.usual.as_ref() == Some(&self.socket)
    }

    /// The file of the lock, unless another host holds it.
    fn lock(&self) -> io::Result<Option<LockFile>> {
        if self.is_usual() {
            prepare_folder_of(&self.socket)?;
        }
        LockFile::try_hold(&self.lock_path())
    }

    /// Makes anew what somebody else has removed. Who holds the file of the lock that can be found has the socket: if that
    /// is another host, nothing is changed, and `files` forget what may be its.
    pub(super) fn put_back(&self, files: &mut Files) -> io::Result<Found> {
        let has_lock = files.lock.as_ref().map(LockFile::is_in_place);
        let has_socket = files.has_socket();
        if !has_lock.unwrap_or(Ok(false))? {
            // Held beside the old one, which nobody finds any more.
            let Some(lock) = self.lock()? else {
                (files.made, files.link) = (None, None);
                return Ok(Found::Taken);
            };
            files.lock = Some(lock);
        }
        let found = if has_socket {
            Found::InPlace
        } else if self.has_link_of_another()? {
            files.made = None;
            return Ok(Found::Taken);
        } else {
            Found::Anew(files.listen()?)
        };
        self.link(files);
        Ok(found)
    }

    /// Lets the socket be found in the usual place too, also while the manifest that says where it is cannot be read; unless
    /// another host has that place.
    fn link(&self, files: &mut Files) {
        let Some(usual) = self.usual.as_ref().filter(|_| !self.is_usual()) else {
            return;
        };
        match link(&self.socket, usual) {
            Ok(is_there) => files.link = is_there.then(|| usual.clone()),
            Err(error) => {
                tracing::debug!(target: "dogpile.admin", %error, "no link to the socket");
            }
        }
    }
}

impl Files {
    /// The holder of the lock makes the socket.
    fn listen(&mut self) -> io::Result<UnixListener> {
        let listener = listen(&self.socket)?;
        let found = fs::symlink_metadata(&self.socket)?;
        self.made = Some((found.dev(), found.ino()));
        Ok(listener)
    }

    /// Whether the socket is where it was made. While it is open no other file has its number.
    fn has_socket(&self) -> bool {
        let found = fs::symlink_metadata(&self.socket);
        found.is_ok_and(|found| Some((found.dev(), found.ino())) == self.made)
    }

    /// A process that was forked off has copies of everything but the threads, and owns nothing.
    fn are_ours(&self) -> bool {
        self.process == std::process::id()
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        if !self.are_ours() {
            return;
        }
        let link = self.link.as_ref();
        let link = link.filter(|link| leads_to(link, &self.socket).unwrap_or(false));
        let link = link.map(fs::remove_file);
        let socket = self.has_socket().then(|| fs::remove_file(&self.socket));
        let lock = self.lock.take().map(LockFile::remove);
        for result in [link, socket, lock].into_iter().flatten() {
            if let Err(error) = result {
                tracing::debug!(target: "dogpile.admin", %error, "a file of the socket stays behind");
            }
        }
    }
}

/// The folder of a usual place, which somebody may have removed.
fn prepare_folder_of(usual: &Path) -> io::Result<()> {
    usual.parent().map_or(Ok(()), place::prepare)
}

fn lock_of(socket: &Path) -> PathBuf {
    let mut path = socket.as_os_str().to_owned();
    path.push(".lock");
    path.into()
}

/// Called by the holder of the lock, so a socket that is there is nobody's.
fn listen(path: &Path) -> io::Result<UnixListener> {
    match fs::symlink_metadata(path) {
        Ok(found) if found.file_type().is_socket() => fs::remove_file(path)?,
        Ok(_) => {
            return Err(io::Error::new(
                io::ErrorKind::AlreadyExists,
                "this is no socket, and is left alone; remove it or set another path",
            ));
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let socket = socket_with(
        AddressFamily::UNIX,
        SocketType::STREAM,
        SocketFlags::CLOEXEC | SocketFlags::NONBLOCK,
        None,
    )?;
    // The file is made with the mode of the socket.
    fchmod(&socket, Mode::RUSR | Mode::WUSR)?;
    bind(&socket, &SocketAddrUnix::new(path)?)?;
    rustix::net::listen(&socket, BACKLOG)?;
    Ok(socket.into())
}

/// Makes the link, or one that leads elsewhere to nobody lead to this socket. Whether it is there: not where another host
/// listens, or its link leads to it.
fn link(socket: &Path, usual: &Path) -> io::Result<bool> {
    if leads_to(usual, socket)? {
        return Ok(true);
    }
    prepare_folder_of(usual)?;
    // Whoever changes the usual place holds its lock.
    let Some(lock) = LockFile::try_hold(&lock_of(usual))? else {
        return Ok(false);
    };
    let is_free = match fs::symlink_metadata(usual) {
        Ok(found) if found.is_symlink() && answers(usual) => false,
        Ok(found) if found.is_symlink() || found.file_type().is_socket() => {
            fs::remove_file(usual)?;
            true
        }
        Ok(_) => false,
        Err(error) if error.kind() == io::ErrorKind::NotFound => true,
        Err(error) => return Err(error),
    };
    if is_free {
        symlink(std::path::absolute(socket)?, usual)?;
    }
    lock.remove()?;
    Ok(is_free)
}

/// Whether there is a link to the socket.
fn leads_to(link: &Path, socket: &Path) -> io::Result<bool> {
    match fs::read_link(link) {
        Ok(target) => Ok(target == std::path::absolute(socket)?),
        // It is none, or nothing is there.
        Err(error) => match error.kind() {
            io::ErrorKind::InvalidInput | io::ErrorKind::NotFound => Ok(false),
            _ => Err(error),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A place in one folder, and a usual one in another of ours.
    struct Folders(tempfile::TempDir);

    impl Folders {
        fn new() -> Self {
            Self(tempfile::tempdir().unwrap())
        }

        fn place(&self, name: &str) -> Where {
            Where {
                socket: self.0.path().join(name),
                usual: Some(self.usual()),
            }
        }

        fn usual(&self) -> PathBuf {
            self.0.path().join("usual/m.sock")
        }

        fn usually(&self) -> Where {
            Where {
                socket: self.usual(),
                usual: Some(self.usual()),
            }
        }

        fn leads_to(&self) -> PathBuf {
            fs::read_link(self.usual()).unwrap()
        }
    }

    fn taken(place: &Where) -> (Files, UnixListener) {
        place.take().unwrap().unwrap()
    }

    #[test]
    fn a_link_that_leads_to_nobody_is_made_anew_and_one_that_leads_to_a_host_is_left() {
        let folders = Folders::new();
        let (a, b) = (folders.place("a.sock"), folders.place("b.sock"));
        let (mut files, _listener) = taken(&a);
        assert_eq!(folders.leads_to(), a.socket);
        let (second, listener) = taken(&b);
        assert_eq!(folders.leads_to(), a.socket);
        // Somebody exchanged it; then the other host ended in a bad way.
        fs::remove_file(folders.usual()).unwrap();
        symlink(&b.socket, folders.usual()).unwrap();
        assert!(matches!(a.put_back(&mut files).unwrap(), Found::InPlace));
        assert_eq!(folders.leads_to(), b.socket);
        drop(listener);
        assert!(matches!(a.put_back(&mut files).unwrap(), Found::InPlace));
        assert_eq!(folders.leads_to(), a.socket);
        drop(second);
        assert_eq!(folders.leads_to(), a.socket);
        drop(files);
        assert!(fs::symlink_metadata(folders.usual()).is_err());
    }

    #[test]
    fn a_link_that_somebody_else_made_stays() {
        let folders = Folders::new();
        let (files, _listener) = taken(&folders.place("a.sock"));
        fs::remove_file(folders.usual()).unwrap();
        symlink("b.sock", folders.usual()).unwrap();
        drop(files);
        assert_eq!(folders.leads_to(), Path::new("b.sock"));
    }

    #[test]
    fn a_host_in_the_usual_place_keeps_it_and_a_dead_one_does_not() {
        let folders = Folders::new();
        let (files, listener) = taken(&folders.usually());
        let a = folders.place("a.sock");
        let (other, _listening) = taken(&a);
        assert!(answers(&folders.usual()));
        assert!(fs::read_link(folders.usual()).is_err());
        drop(other);
        assert!(files.has_socket());
        // As one that was killed: its files stay, and its lock is free.
        drop(listener);
        std::mem::forget(files);
        fs::remove_file(folders.usually().lock_path()).unwrap();
        let (_other, _listening) = taken(&a);
        assert_eq!(folders.leads_to(), a.socket);
    }

    #[test]
    fn a_host_whose_usual_place_a_link_has_taken_waits_while_that_leads_to_a_host() {
        let folders = Folders::new();
        let (mut files, _listener) = taken(&folders.usually());
        for path in [folders.usual(), folders.usually().lock_path()] {
            fs::remove_file(path).unwrap();
        }
        let (other, listener) = taken(&folders.place("a.sock"));
        let put_back = |files: &mut Files| folders.usually().put_back(files).unwrap();
        assert!(matches!(put_back(&mut files), Found::Taken));
        drop(files);
        assert!(answers(&folders.usual()));
        // As one that was killed.
        drop(listener);
        std::mem::forget(other);
        let (mut files, _listener) = taken(&folders.usually());
        fs::remove_file(folders.usual()).unwrap();
        symlink("nobody.sock", folders.usual()).unwrap();
        assert!(matches!(put_back(&mut files), Found::Anew(_)));
    }

    #[test]
    fn a_host_that_is_to_listen_in_the_usual_place_waits_for_one_that_is_linked_there() {
        let folders = Folders::new();
        let (files, listener) = taken(&folders.place("a.sock"));
        assert!(folders.usually().take().unwrap().is_none());
        assert!(!folders.usually().lock_path().exists());
        drop(listener);
        std::mem::forget(files);
        let (files, _listener) = taken(&folders.usually());
        assert!(files.has_socket());
    }
}
