//! The gate for far sides over SSH or git's own protocol: a child's `ssh` is ourselves, at the end of a pair of sockets
//! that it inherits, and whatever it asks for goes to the one program at the far side that the run is for.

use std::ffi::{OsStr, OsString};
use std::io::{self, BufRead as _, BufReader, Read, Write};
use std::net::Shutdown;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use rustix::fd::OwnedFd;

use crate::net::{Incoming, Outgoing, Service, Session};

/// The number under which a child finds its end. One digit, because some shells know no others.
pub(super) const LINE: i32 = 9;

/// Bytes that are on their way at once.
const PIECE: usize = 64 * 1024;

/// The longest name of a program at the far side.
const LONGEST_NAME: u64 = 64;

/// How often a child that says nothing is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Sees the session, and one of the far side's programs.
pub(in crate::git::program) struct LineGate {
    session: Session,
    service: Service,
}

impl LineGate {
    pub(super) fn open(session: &Session, service: Service) -> Self {
        Self { session: session.clone(), service }
    }

    /// The child's end of a new line. It is served until the child closes it.
    pub(super) fn line(&self) -> io::Result<OwnedFd> {
        let (ours, child) = UnixStream::pair()?;
        let (session, service) = (self.session.clone(), self.service);
        std::thread::Builder::new().name("gate".to_owned()).spawn(move || serve(&ours, &session, service))?;
        Ok(child.into())
    }
}

/// What a child calls as its `ssh`: ourselves, with the line in the place of standard input and that behind it.
pub(super) fn command(ourselves: &Path) -> OsString {
    let mut command = b"exec '".to_vec();
    for &byte in ourselves.as_os_str().as_bytes() {
        match byte {
            b'\'' => command.extend(*b"'\\''"),
            _ => command.push(byte),
        }
    }
    command.extend(format!("' internal ssh 3<&0 <&{LINE}").bytes());
    OsString::from_vec(command)
}

/// An error ends the line; the session has kept why, if it is the far side's.
fn serve(line: &UnixStream, session: &Session, service: Service) -> Option<()> {
    let wanted = BufReader::with_capacity(1, line.try_clone().ok()?);
    let mut name = String::new();
    wanted.take(LONGEST_NAME).read_line(&mut name).ok()?;
    if OsStr::new(name.trim_end()) != service.program() {
        return None;
    }
    let (incoming, outgoing) = session.open(service).ok()?.split();
    let child = line.try_clone().ok()?;
    let up = move || send(child, outgoing, service);
    std::thread::Builder::new().name("gate".to_owned()).spawn(up).ok()?;
    receive(incoming, line);
    let _ = line.shutdown(Shutdown::Both);
    Some(())
}

/// From the far side to the child.
fn receive(mut incoming: Incoming, mut line: &UnixStream) {
    let mut buffer = vec![0; PIECE];
    while let Ok(read @ 1..) = incoming.read(&mut buffer) {
        if line.write_all(&buffer[..read]).is_err() {
            break;
        }
    }
}

/// From the child to the far side. While a child that pushes puts its pack together, it is not the far side that lets
/// us wait.
fn send(mut line: UnixStream, mut outgoing: Outgoing, service: Service) {
    let mut buffer = vec![0; PIECE];
    let _ = line.set_read_timeout(Some(LOOK_EVERY));
    let mut begun = false;
    loop {
        match line.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => {
                begun = true;
                if outgoing.write_all(&buffer[..read]).is_err() {
                    let _ = line.shutdown(Shutdown::Both);
                    return;
                }
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                if begun && service == Service::ReceivePack {
                    outgoing.is_ours_to_wait_for();
                }
            }
            Err(_) => break,
        }
    }
    let _ = outgoing.finish_writing();
}
