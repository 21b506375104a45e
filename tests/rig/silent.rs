//! A server that accepts every connection and never says a word.

use std::io::{ErrorKind, Read as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

/// The listener; its connections stay open as long as it lives.
pub struct SilentServer {
    port: u16,
    held: Arc<Mutex<Vec<TcpStream>>>,
    ended: Arc<AtomicBool>,
    accepting: Option<JoinHandle<()>>,
}

impl SilentServer {
    /// Starts to accept.
    pub fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let (held, ended) = (Arc::<Mutex<Vec<_>>>::default(), Arc::<AtomicBool>::default());
        let accepting = thread::spawn({
            let (held, ended) = (Arc::clone(&held), Arc::clone(&ended));
            move || {
                for stream in listener.incoming().map_while(Result::ok) {
                    if ended.load(Ordering::Acquire) {
                        break;
                    }
                    held.lock().unwrap().push(stream);
                }
            }
        });
        Self { port, held, ended, accepting: Some(accepting) }
    }

    /// The port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// How many connections the other side has not closed yet.
    pub fn open_connections(&self) -> usize {
        let held = self.held.lock().unwrap();
        let is_open = |stream: &&TcpStream| {
            stream.set_nonblocking(true).unwrap();
            let mut buffer = [0; 4096];
            loop {
                match (&**stream).read(&mut buffer) {
                    Ok(0) => break false,
                    // What was said before it fell silent.
                    Ok(_) => {}
                    Err(error) => break error.kind() == ErrorKind::WouldBlock,
                }
            }
        };
        held.iter().filter(is_open).count()
    }

    /// How many connections were accepted.
    pub fn connections(&self) -> usize {
        self.held.lock().unwrap().len()
    }
}

impl Drop for SilentServer {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Release);
        // Wakes the accepting thread, which then sees that it is over.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
        self.accepting.take().map(JoinHandle::join);
    }
}
