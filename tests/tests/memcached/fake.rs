//! Servers that do not do what servers do.

use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

/// A server that treats each connection as it is told; ended with this.
pub(crate) struct Fake {
    port: u16,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    ended: AtomicBool,
    streams: Mutex<Vec<TcpStream>>,
}

impl Fake {
    pub(crate) fn start(treat: impl Fn(TcpStream) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared::default());
        let (own, treat) = (Arc::clone(&shared), Arc::new(treat));
        let thread = thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                if own.ended.load(Ordering::SeqCst) {
                    return;
                }
                own.streams
                    .lock()
                    .unwrap()
                    .push(stream.try_clone().unwrap());
                let treat = Arc::clone(&treat);
                thread::spawn(move || treat(stream));
            }
        });
        Self {
            port,
            shared,
            thread: Some(thread),
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::SeqCst);
        // Wakes the thread that accepts.
        drop(TcpStream::connect(("127.0.0.1", self.port)));
        let _ended = self.thread.take().map(JoinHandle::join);
        for stream in self.shared.streams.lock().unwrap().drain(..) {
            let _ended = stream.shutdown(Shutdown::Both);
        }
    }
}
