//! A listener at every address of this machine, who remembers at which of them somebody came in.

use std::net::{IpAddr, Ipv6Addr, Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

/// Closes each connection at once.
pub(crate) struct Canary {
    port: u16,
    arrivals: Arc<Mutex<Vec<IpAddr>>>,
    over: Arc<AtomicBool>,
    listener: Option<JoinHandle<()>>,
}

impl Canary {
    pub(crate) fn start() -> Self {
        // On Linux it takes IPv4 as well.
        let listener = TcpListener::bind((Ipv6Addr::UNSPECIFIED, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let (arrivals, over) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicBool::new(false)));
        let (noted, end) = (Arc::clone(&arrivals), Arc::clone(&over));
        let listener = thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if end.load(Ordering::SeqCst) {
                    return;
                }
                noted.lock().unwrap().push(stream.local_addr().unwrap().ip().to_canonical());
                let _ = stream.shutdown(Shutdown::Both);
            }
        });
        Self { port, arrivals, over, listener: Some(listener) }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// At which addresses somebody came in since the last look. A connection that was made before is among them,
    /// because connections are taken in their order.
    pub(crate) fn arrivals(&self) -> Vec<IpAddr> {
        let mark = IpAddr::from([127, 77, 77, 77]);
        drop(TcpStream::connect((mark, self.port)).unwrap());
        super::rig::wait::for_some("the canary to look", super::rig::wait::START, || {
            let mut arrivals = self.arrivals.lock().unwrap();
            let end = arrivals.iter().position(|arrival| *arrival == mark)?;
            let seen = arrivals.drain(..=end).take(end).collect();
            Some(seen)
        })
    }
}

impl Drop for Canary {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(("127.0.0.1", self.port));
        let _ = self.listener.take().unwrap().join();
    }
}
