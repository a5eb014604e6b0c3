//! The Unix socket by which a running host answers the `dogpile` command.
//!
//! A host of a manifest listens in the user's runtime directory, under a name made of the manifest's path, so that the
//! command finds it without being told. Where its manifest names a place for the socket, whose folder must be trusted as
//! that of a manifest is, a link leads there from the usual one. The first host of a manifest has the socket; when it goes,
//! another one takes it over within a few seconds. If somebody else removes it, it is made anew as soon: by the host that
//! holds the lock beside it, or by whoever makes that lock anew first.
//!
//! A client sends a message and gets one back, as often as it likes. A message is one line of JSON,
//! `{"version":1,"message":…}`, and after it as many bytes as its `body` says, which is left out when there are none:
//!
//! ```text
//! {"version":1,"message":{"set":{"region":"pages","key":"a"}},"body":5}
//! "one"{"version":1,"message":{"get":{"region":"pages","key":"a"}}}
//! ```
//!
//! While a host works at an answer it sends `{"version":1,"message":"working"}` every two seconds, so that a client can
//! tell one that needs long, for a reload say, from one that was stopped: of which nothing is heard any more.
//!
//! A line of a request has at most 1 MiB and its body 16 MiB; it must arrive, and its answer be taken, within ten
//! seconds each. Sixteen clients are answered at once; others wait for up to fifteen seconds, and when 64 wait, the next
//! are turned away. So is whoever has another user id than the host's, or root's.

mod answer;
mod client;
mod connection;
mod files;
mod lock_file;
mod place;
mod protocol;
mod reception;
mod server;
mod socket;
mod wire;

pub use self::client::Client;
pub(crate) use self::server::Server;
pub use self::socket::{AdminSocket, check};
