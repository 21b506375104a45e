//! A name server whose answers a test writes, and that may change their mind.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use hickory_resolver::proto::op::{Message, MessageType, ResponseCode};
use hickory_resolver::proto::rr::rdata::CNAME;
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};

/// For each name and type, the answers in turn; the last one stays.
type Book = HashMap<(String, RecordType), Vec<Vec<RData>>>;

pub(crate) struct Dns {
    address: SocketAddr,
    book: Arc<Mutex<Book>>,
    over: Arc<AtomicBool>,
    server: Option<JoinHandle<()>>,
}

impl Dns {
    pub(crate) fn start() -> Self {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = socket.local_addr().unwrap();
        let (book, over) = (Arc::new(Mutex::new(Book::new())), Arc::new(AtomicBool::new(false)));
        let (pages, end) = (Arc::clone(&book), Arc::clone(&over));
        let server = thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok((length, asker)) = socket.recv_from(&mut buffer) {
                if end.load(Ordering::SeqCst) {
                    return;
                }
                let Ok(question) = Message::from_vec(&buffer[..length]) else { continue };
                let answer = answer(&question, &mut pages.lock().unwrap());
                let _ = socket.send_to(&answer.to_vec().unwrap(), asker);
            }
        });
        Self { address, book, over, server: Some(server) }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// `name` has these addresses.
    pub(crate) fn is(&self, name: &str, addresses: &[&str]) {
        self.turns(name, &[addresses]);
    }

    /// `name` has the addresses of the first turn when it is first asked for, and so on.
    pub(crate) fn turns(&self, name: &str, turns: &[&[&str]]) {
        for kind in [RecordType::A, RecordType::AAAA] {
            let of_kind = |turn: &&[&str]| {
                let addresses = turn.iter().map(|text| text.parse::<IpAddr>().unwrap());
                addresses.map(RData::from).filter(|data| data.record_type() == kind).collect()
            };
            let answers = turns.iter().map(of_kind).collect();
            self.book.lock().unwrap().insert((name.to_owned(), kind), answers);
        }
    }

    /// `name` is another name for `target`.
    pub(crate) fn alias(&self, name: &str, target: &str) {
        let answer = vec![vec![RData::CNAME(CNAME(Name::from_ascii(target).unwrap()))]];
        self.book.lock().unwrap().insert((name.to_owned(), RecordType::CNAME), answer);
    }
}

/// The answer with all aliases on the way, as a resolving server gives it.
fn answer(question: &Message, book: &mut Book) -> Message {
    let mut answer = Message::response(question.metadata.id, question.metadata.op_code);
    answer.metadata.message_type = MessageType::Response;
    answer.metadata.recursion_available = true;
    let Some(query) = question.queries.first() else { return answer };
    answer.add_query(query.clone());
    let mut name = query.name().clone();
    for _ in 0..8 {
        let key = name.to_ascii().to_lowercase().trim_end_matches('.').to_owned();
        let alias = turn(book, &(key.clone(), RecordType::CNAME)).and_then(|mut found| found.pop());
        if let Some(RData::CNAME(target)) = &alias {
            answer.add_answer(Record::from_rdata(name, 60, RData::CNAME(target.clone())));
            name = target.0.clone();
            continue;
        }
        match turn(book, &(key, query.query_type())) {
            Some(found) => {
                answer.add_answers(found.into_iter().map(|data| Record::from_rdata(name.clone(), 60, data)));
            }
            None => answer.metadata.response_code = ResponseCode::NXDomain,
        }
        break;
    }
    answer
}

fn turn(book: &mut Book, key: &(String, RecordType)) -> Option<Vec<RData>> {
    let turns = book.get_mut(key)?;
    Some(if turns.len() > 1 { turns.remove(0) } else { turns.first()?.clone() })
}

impl Drop for Dns {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
        let wake = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let _ = wake.send_to(b"end", self.address);
        let _ = self.server.take().unwrap().join();
    }
}
