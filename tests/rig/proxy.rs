//! A TCP proxy that stands between a client and a server and can misbehave on demand.
//!
//! It can hold everything back at a gate, lose what the server answers, and cut connections.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};

/// A proxy to one port on 127.0.0.1.
pub struct Proxy {
    port: u16,
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    gate: Condvar,
}

#[derive(Default)]
struct State {
    ended: bool,
    gate_closed: bool,
    /// When so many more bytes of the server's have passed, the gate closes.
    closing_after: Option<usize>,
    /// The connections whose two sides are still open.
    links: Vec<Link>,
    held: usize,
    accepted: usize,
    most_at_once: usize,
    /// Connections are cut when the server has answered so many bytes more.
    cut_after: Option<usize>,
    /// A connection that sends this gets no answer any more.
    losing_after: Option<Vec<u8>>,
    lost_bytes: usize,
}

struct Link {
    number: usize,
    client: TcpStream,
    server: TcpStream,
    loses_replies: bool,
}

impl Proxy {
    /// Starts to accept connections and to pass them on to the server's port.
    pub fn to(server_port: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::<Shared>::default();
        let accepting = thread::spawn({
            let shared = Arc::clone(&shared);
            move || accept(&listener, server_port, &shared)
        });
        Self { port, shared, accepting: Some(accepting) }
    }

    /// The port on 127.0.0.1 that clients connect to.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// From now on nothing passes, in either direction; connections are still accepted.
    pub fn close_gate(&self) {
        self.shared.lock().gate_closed = true;
    }

    /// Closes the gate as soon as so many more bytes of the server's answers have passed.
    pub fn close_gate_after(&self, bytes: usize) {
        self.shared.lock().closing_after = Some(bytes);
    }

    /// Whether nothing passes now.
    pub fn gate_is_closed(&self) -> bool {
        self.shared.lock().gate_closed
    }

    /// Lets everything pass again, beginning with what was held back.
    pub fn open_gate(&self) {
        self.shared.lock().gate_closed = false;
        self.shared.gate.notify_all();
    }

    /// How many connections have sent, or are to be sent, something that waits at the gate.
    pub fn held_connections(&self) -> usize {
        self.shared.lock().held
    }

    /// How many connections are open now.
    pub fn open_connections(&self) -> usize {
        self.shared.lock().links.len()
    }

    /// How many connections were accepted in all.
    pub fn accepted_connections(&self) -> usize {
        self.shared.lock().accepted
    }

    /// How many connections were open at the same time at most.
    pub fn most_connections(&self) -> usize {
        self.shared.lock().most_at_once
    }

    /// The connections open now get no answer any more; later ones are not concerned.
    pub fn lose_replies(&self) {
        self.shared.lock().links.iter_mut().for_each(|link| link.loses_replies = true);
    }

    /// The next connection whose client sends these bytes gets no answer any more, to this or anything later.
    pub fn lose_replies_after(&self, request: &str) {
        self.shared.lock().losing_after = Some(request.as_bytes().to_vec());
    }

    /// Whether a connection has sent what [`Proxy::lose_replies_after`] waits for.
    pub fn has_noticed_request(&self) -> bool {
        self.shared.lock().losing_after.is_none()
    }

    /// How many bytes of the server's answers were lost so far.
    pub fn lost_bytes(&self) -> usize {
        self.shared.lock().lost_bytes
    }

    /// Cuts the connection over which the server answers the last of so many bytes from now on, in the middle of
    /// what it says; once.
    pub fn cut_after(&self, bytes: usize) {
        self.shared.lock().cut_after = Some(bytes);
    }

    /// Closes all connections that are open now.
    pub fn cut(&self) {
        self.shared.lock().links.iter().for_each(Link::cut);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.lock().ended = true;
        self.cut();
        self.shared.gate.notify_all();
        // Wakes the accepting thread, which then sees that it is over.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
        self.accepting.take().map(JoinHandle::join);
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Waits at the gate; `None` when the proxy has ended in the meantime.
    fn pass_gate(&self) -> Option<MutexGuard<'_, State>> {
        let mut state = self.lock();
        state.held += 1;
        let mut state = self.gate.wait_while(state, |state| state.gate_closed && !state.ended).unwrap();
        state.held -= 1;
        (!state.ended).then_some(state)
    }
}

impl State {
    fn link(&mut self, number: usize) -> Option<&mut Link> {
        self.links.iter_mut().find(|link| link.number == number)
    }

    /// Looks at what a client sent and decides whether it is the request whose answer is to be lost.
    fn notice_request(&mut self, number: usize, bytes: &[u8]) {
        let awaited = |request: &mut Vec<u8>| bytes.windows(request.len()).any(|window| window == request.as_slice());
        if self.losing_after.take_if(awaited).is_some()
            && let Some(link) = self.link(number)
        {
            link.loses_replies = true;
        }
    }

    /// Whether an answer of this length is where the connection is to be cut.
    fn is_cut_by(&mut self, length: usize) -> bool {
        let Some(left) = self.cut_after else { return false };
        self.cut_after = left.checked_sub(length);
        self.cut_after.is_none()
    }

    /// Closes the gate behind this much of an answer, if it is the last that may pass.
    fn notice_answer(&mut self, length: usize) {
        self.closing_after = self.closing_after.map(|left| left.saturating_sub(length));
        if self.closing_after.take_if(|left| *left == 0).is_some() {
            self.gate_closed = true;
        }
    }

    /// Whether an answer of this length is lost; counts it if so.
    fn loses_reply(&mut self, number: usize, length: usize) -> bool {
        let loses = self.link(number).is_some_and(|link| link.loses_replies);
        self.lost_bytes += if loses { length } else { 0 };
        loses
    }
}

impl Link {
    fn cut(&self) {
        // Either side may be gone already.
        let _ = self.client.shutdown(Shutdown::Both);
        let _ = self.server.shutdown(Shutdown::Both);
    }
}

fn accept(listener: &TcpListener, server_port: u16, shared: &Arc<Shared>) {
    for client in listener.incoming().map_while(Result::ok) {
        let mut state = shared.lock();
        if state.ended {
            break;
        }
        // A client whose server cannot be reached sees its connection closed.
        let Ok(server) = TcpStream::connect(("127.0.0.1", server_port)) else { continue };
        let _ = (client.set_nodelay(true), server.set_nodelay(true));
        state.accepted += 1;
        let number = state.accepted;
        for direction in [Direction::ToServer, Direction::ToClient] {
            let (from, to) = match direction {
                Direction::ToServer => (&client, &server),
                Direction::ToClient => (&server, &client),
            };
            let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
            let shared = Arc::clone(shared);
            thread::spawn(move || pass_on(number, direction, from, to, &shared));
        }
        state.links.push(Link { number, client, server, loses_replies: false });
        state.most_at_once = state.most_at_once.max(state.links.len());
    }
}

#[derive(Clone, Copy)]
enum Direction {
    ToServer,
    ToClient,
}

fn pass_on(number: usize, direction: Direction, mut from: TcpStream, mut to: TcpStream, shared: &Shared) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        let bytes = &buffer[..length];
        let Some(mut state) = shared.pass_gate() else { break };
        let lost = match direction {
            Direction::ToServer => {
                state.notice_request(number, bytes);
                false
            }
            Direction::ToClient if state.is_cut_by(length) => break,
            Direction::ToClient => {
                state.notice_answer(length);
                state.loses_reply(number, length)
            }
        };
        drop(state);
        if !lost && to.write_all(bytes).is_err() {
            break;
        }
    }
    // One side has ended; none of the protocols that pass here goes on with half a connection.
    let mut state = shared.lock();
    if let Some(link) = state.link(number) {
        link.cut();
        state.links.retain(|link| link.number != number);
    }
}
