//! A redirect is no way around the guard.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use sidemirror::net::{Access, HttpAccess, Redirects};

use crate::engines::engines;
use crate::spellings::{ELSEWHERE, NAMES_OF_THIS_MACHINE, THIS_MACHINE};
use crate::world::World;

/// A server that may be reached, and sends whoever asks for `/N/...` to the Nth place of a list.
struct Signpost {
    port: u16,
    over: Arc<AtomicBool>,
    server: Option<JoinHandle<()>>,
}

impl Signpost {
    fn start(places: Vec<String>) -> Self {
        let listener = TcpListener::bind(("127.9.9.9", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let over = Arc::new(AtomicBool::new(false));
        let end = Arc::clone(&over);
        let server = thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if end.load(Ordering::SeqCst) {
                    return;
                }
                let _ = point(stream, &places);
            }
        });
        Self { port, over, server: Some(server) }
    }
}

fn point(mut stream: TcpStream, places: &[String]) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let request = lines.next().unwrap_or_else(|| Ok(String::new()))?;
    while lines.next().transpose()?.is_some_and(|line| !line.is_empty()) {}
    let number = request.split('/').nth(1).and_then(|number| number.parse::<usize>().ok());
    let place = number.and_then(|number| places.get(number)).map_or("", String::as_str);
    let rest = request.split_once(".git").map_or("", |(_, rest)| rest.split(' ').next().unwrap_or_default());
    write!(stream, "HTTP/1.1 302 Found\r\nLocation: {place}{rest}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
}

impl Drop for Signpost {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(("127.9.9.9", self.port));
        let _ = self.server.take().unwrap().join();
    }
}

#[test]
fn no_redirect_leads_to_a_forbidden_address() {
    let world = World::new();
    world.dns.is("bad.test", &["127.0.0.1"]);
    world.dns.is("mixed.test", &["127.9.9.9", "127.0.0.1"]);
    let hosts = [THIS_MACHINE, NAMES_OF_THIS_MACHINE, ELSEWHERE, &["bad.test", "mixed.test"]].concat();
    // As it would stand in a header.
    let hosts: Vec<&str> = hosts.into_iter().filter(|host| host.is_ascii()).collect();
    let place = |host: &&str| format!("http://{host}:{}/p.git", world.canary.port());
    let signpost = Signpost::start(hosts.iter().map(place).collect());
    let door = world.door_with(&[&format!("127.9.9.9:{}", signpost.port)], &[]);
    let redirects = Some(Redirects::Follow);
    let access = Access { http: HttpAccess { redirects, ..HttpAccess::default() }, ..Access::default() };
    for engine in engines() {
        for (number, host) in hosts.iter().enumerate() {
            let url = format!("http://127.9.9.9:{}/{number}/p.git", signpost.port);
            let told = world.refused(&*engine, &door, &url, &access);
            assert!(!told.contains("127.9.9.9"), "{host}: {told}");
        }
    }
}
