//! A git server that says what a test wants it to say.

use std::io::{BufRead as _, BufReader, Read as _, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Instant;

/// An id that nobody has.
pub(crate) const TIP: &str = "1234567890123456789012345678901234567890";

/// What it answers.
pub(crate) struct Script {
    /// To the question for its refs.
    pub(crate) listing: Box<dyn Fn(&mut TcpStream) -> std::io::Result<()> + Send + Sync>,
    /// To the question for a pack.
    pub(crate) pack: Box<dyn Fn(&mut TcpStream) -> std::io::Result<()> + Send + Sync>,
}

impl Script {
    /// Lists one branch, and sends `pack` for it.
    pub(crate) fn sending(pack: Vec<u8>) -> Self {
        Self {
            listing: Box::new(|stream| write_listing(stream, &[format!("{TIP} refs/heads/main")])),
            pack: Box::new(move |stream| {
                head(stream, "application/x-git-upload-pack-result")?;
                stream.write_all(b"0008NAK\n")?;
                stream.write_all(&pack)
            }),
        }
    }

    /// The same over git's own protocol.
    pub(crate) fn sending_plainly(pack: Vec<u8>) -> Self {
        Self {
            listing: Box::new(|stream| stream.write_all(lines(&[format!("{TIP} refs/heads/main")]).as_bytes())),
            pack: Box::new(move |stream| {
                stream.write_all(b"0008NAK\n")?;
                stream.write_all(&pack)
            }),
        }
    }

    /// Lists nothing.
    pub(crate) fn empty() -> Self {
        Self { listing: Box::new(|stream| write_listing(stream, &[])), ..Self::sending(Vec::new()) }
    }
}

/// What a far side speaks.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Speech {
    Http,
    /// Git's own protocol: no heads, one connection.
    Git,
}

/// Begins an answer that ends with its connection.
pub(crate) fn head(stream: &mut TcpStream, kind: &str) -> std::io::Result<()> {
    write!(stream, "HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nConnection: close\r\n\r\n")
}

/// A list of refs as git writes it.
pub(crate) fn write_listing(stream: &mut TcpStream, refs: &[String]) -> std::io::Result<()> {
    head(stream, "application/x-git-upload-pack-advertisement")?;
    stream.write_all(format!("001e# service=git-upload-pack\n0000{}", lines(refs)).as_bytes())
}

/// The same of a server that can speak on several bands.
pub(crate) fn write_capable(stream: &mut TcpStream, line: &str) -> std::io::Result<()> {
    head(stream, "application/x-git-upload-pack-advertisement")?;
    let line = format!("{line}\0side-band-64k ofs-delta\n");
    write!(stream, "001e# service=git-upload-pack\n0000{:04x}{line}0000", line.len() + 4)
}

fn lines(refs: &[String]) -> String {
    let mut text = String::new();
    for (number, line) in refs.iter().enumerate() {
        let line = if number == 0 { format!("{line}\0ofs-delta\n") } else { format!("{line}\n") };
        text += &format!("{:04x}{line}", line.len() + 4);
    }
    text + "0000"
}

/// The running server.
pub(crate) struct FarSide {
    port: u16,
    asked: Arc<Mutex<Vec<Instant>>>,
    at_once: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
    ended: Arc<AtomicBool>,
    accepting: Option<JoinHandle<()>>,
}

impl FarSide {
    /// Serves `script` at this port; 0 for a free one.
    pub(crate) fn start(port: u16, script: Script) -> Self {
        Self::speaking(Speech::Http, port, script)
    }

    /// The same in another language.
    pub(crate) fn speaking(speech: Speech, port: u16, script: Script) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = Arc::<Mutex<Vec<Instant>>>::default();
        let (at_once, most) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
        let (ended, script) = (Arc::<AtomicBool>::default(), Arc::new(script));
        let accepting = thread::spawn({
            let (asked, at_once, most, ended) = (asked.clone(), at_once.clone(), most.clone(), ended.clone());
            move || {
                for stream in listener.incoming().map_while(Result::ok) {
                    if ended.load(Ordering::Acquire) {
                        break;
                    }
                    let (script, asked, at_once, most) = (script.clone(), asked.clone(), at_once.clone(), most.clone());
                    thread::spawn(move || {
                        let now = at_once.fetch_add(1, Ordering::SeqCst) + 1;
                        most.fetch_max(now, Ordering::SeqCst);
                        // A client that has heard enough goes away.
                        let _ = match speech {
                            Speech::Http => serve(stream, &script, &asked),
                            Speech::Git => serve_plainly(stream, &script, &asked),
                        };
                        at_once.fetch_sub(1, Ordering::SeqCst);
                    });
                }
            }
        });
        Self { port, asked, at_once, most, ended, accepting: Some(accepting) }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}/{path}", self.port)
    }

    /// When it was asked for its refs.
    pub(crate) fn asked(&self) -> Vec<Instant> {
        self.asked.lock().unwrap().clone()
    }

    /// The connections being served.
    pub(crate) fn at_once(&self) -> usize {
        self.at_once.load(Ordering::SeqCst)
    }

    /// The most that there were.
    pub(crate) fn most_at_once(&self) -> usize {
        self.most.load(Ordering::SeqCst)
    }
}

impl Drop for FarSide {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Release);
        // Wakes the accepting thread, which then sees that it is over.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
        self.accepting.take().map(JoinHandle::join);
    }
}

fn serve_plainly(mut stream: TcpStream, script: &Script, asked: &Mutex<Vec<Instant>>) -> std::io::Result<()> {
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let length = usize::from_str_radix(str::from_utf8(&length).unwrap_or_default(), 16).unwrap_or(4);
    stream.read_exact(&mut vec![0; length - 4])?;
    asked.lock().unwrap().push(Instant::now());
    (script.listing)(&mut stream)?;
    let (mut wishes, mut byte) = (Vec::new(), [0]);
    while !wishes.ends_with(b"0009done\n") {
        stream.read_exact(&mut byte)?;
        wishes.push(byte[0]);
    }
    (script.pack)(&mut stream)
}

fn serve(mut stream: TcpStream, script: &Script, asked: &Mutex<Vec<Instant>>) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let (mut request, mut length) = (String::new(), 0);
    reader.read_line(&mut request)?;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        if line.trim().is_empty() {
            break;
        }
        if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        }
    }
    if request.starts_with("GET") {
        asked.lock().unwrap().push(Instant::now());
        return (script.listing)(&mut stream);
    }
    reader.take(length).read_to_end(&mut Vec::new())?;
    (script.pack)(&mut stream)
}
