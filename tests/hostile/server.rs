//! A server written for the test: plain sockets, one thread a connection, and one behaviour.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};

/// Longer than any case may take: a thread that waits for its client's goodbye ends at last.
const LONGEST_VISIT: Duration = Duration::from_mins(2);

/// What a far side does with a connection.
pub(crate) type Behaviour = Arc<dyn Fn(&mut Visit) -> io::Result<()> + Send + Sync>;

/// For a function or closure.
pub(crate) fn behaviour(act: impl Fn(&mut Visit) -> io::Result<()> + Send + Sync + 'static) -> Behaviour {
    Arc::new(act)
}

/// One connection, seen from the server. Plain text, or TLS where a behaviour puts it on.
pub(crate) struct Visit {
    socket: TcpStream,
    stream: Box<dyn Stream>,
}

/// What can be talked over.
pub(crate) trait Stream: Read + Write + Send {}

impl<T: Read + Write + Send> Stream for T {}

impl Visit {
    fn new(socket: TcpStream) -> io::Result<Self> {
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(LONGEST_VISIT))?;
        socket.set_write_timeout(Some(LONGEST_VISIT))?;
        let stream = Box::new(socket.try_clone()?);
        Ok(Self { socket, stream })
    }

    /// The connection itself, beneath whatever is spoken over it.
    pub(crate) fn socket(&self) -> io::Result<TcpStream> {
        self.socket.try_clone()
    }

    /// From now on speaks over `stream`, which was made of [`Visit::socket`].
    pub(crate) fn speak_over(&mut self, stream: impl Stream + 'static) {
        self.stream = Box::new(stream);
    }

    /// Sends all of it.
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.stream.write_all(bytes.as_ref())?;
        self.stream.flush()
    }

    /// The next byte, if one comes.
    pub(crate) fn byte(&mut self) -> io::Result<u8> {
        let mut byte = [0];
        self.stream.read_exact(&mut byte)?;
        Ok(byte[0])
    }

    /// Exactly so many bytes.
    pub(crate) fn bytes(&mut self, count: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; count];
        self.stream.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    /// Says nothing until the client has gone, or nobody is interested any more.
    pub(crate) fn hold(&mut self) -> io::Result<()> {
        let mut unheard = [0; 16 * 1024];
        while hear(&mut self.stream, &mut unheard)? > 0 {}
        // A client that has said all that it will say may still be waiting.
        self.wait_for(PollFlags::HUP)
    }

    /// Takes nothing more until the client has gone.
    pub(crate) fn hold_deaf(&mut self) -> io::Result<()> {
        self.wait_for(PollFlags::RDHUP | PollFlags::HUP)
    }

    fn wait_for(&self, events: PollFlags) -> io::Result<()> {
        let limit = LONGEST_VISIT.try_into().map_err(io::Error::other)?;
        poll(&mut [PollFd::new(&self.socket, events)], Some(&limit))?;
        Ok(())
    }

    /// Sends `bytes` again and again, as fast as they are taken.
    pub(crate) fn flood(&mut self, bytes: &[u8]) -> io::Result<()> {
        loop {
            self.stream.write_all(bytes)?;
        }
    }

    /// Sends `bytes` one by one, one a second, and from the beginning again when they are at their end.
    pub(crate) fn drip(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.socket.set_read_timeout(Some(Duration::from_secs(1)))?;
        for byte in bytes.iter().cycle() {
            self.send([*byte])?;
            // A goodbye is noticed at once; whatever else is said goes unheard.
            loop {
                match hear(&mut self.socket, &mut [0; 4096]) {
                    Ok(0) => return Ok(()),
                    Ok(_) => {}
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(())
    }
}

/// Reads on when the whole machine was stopped for a moment, which breaks off reads that have a limit.
fn hear(stream: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match stream.read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            heard => return heard,
        }
    }
}

/// A listener with one behaviour. Its connections are closed when it is dropped.
pub(crate) struct Server {
    port: u16,
    connections: Arc<Mutex<Vec<TcpStream>>>,
    ended: Arc<AtomicBool>,
    accepting: Option<JoinHandle<()>>,
}

impl Server {
    pub(crate) fn start(behaviour: &Behaviour) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let (connections, ended) = (Arc::<Mutex<Vec<TcpStream>>>::default(), Arc::<AtomicBool>::default());
        let accepting = thread::spawn({
            let (connections, ended, behaviour) = (Arc::clone(&connections), Arc::clone(&ended), behaviour.clone());
            move || {
                for socket in listener.incoming().map_while(Result::ok) {
                    if ended.load(Ordering::Acquire) {
                        break;
                    }
                    connections.lock().unwrap().push(socket.try_clone().unwrap());
                    let behaviour = behaviour.clone();
                    // That a client leaves in the middle is what most cases are about.
                    thread::spawn(move || {
                        let _ = Visit::new(socket.try_clone()?).and_then(|mut visit| {
                            behaviour(&mut visit)?;
                            // What was sent last would be lost if the connection went before it was read.
                            visit.socket.shutdown(Shutdown::Write)?;
                            while hear(&mut visit.stream, &mut [0; 4096])? > 0 {}
                            Ok(())
                        });
                        socket.shutdown(Shutdown::Both)
                    });
                }
            }
        });
        Self { port, connections, ended, accepting: Some(accepting) }
    }

    /// The port on 127.0.0.1.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// How many connections were accepted so far.
    pub(crate) fn connections(&self) -> usize {
        self.connections.lock().unwrap().len()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Release);
        // Wakes the accepting thread, which then sees that it is over.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
        self.accepting.take().map(JoinHandle::join);
        for connection in self.connections.lock().unwrap().drain(..) {
            let _ = connection.shutdown(Shutdown::Both);
        }
    }
}
