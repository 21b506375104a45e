//! A program of this machine at the other end of a pair of sockets, and how it ends.

use std::io;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;
use std::sync::Arc;
use std::thread;

use tokio::net::UnixStream;
use tokio_util::sync::CancellationToken;

use super::{LocalEnd, LocalError, place};
use crate::net::counted::Counted;
use crate::net::duplex::{Ending, Ends, Line};
use crate::net::http::LONGEST_REMOTE_TEXT;
use crate::net::{NetError, RemoteText, Service, Session};

/// Starts `service` for the session's repository.
pub(in crate::net) async fn open(session: &Session, service: Service) -> Result<Ends, NetError> {
    let settings = &session.door().local;
    if settings.roots.is_empty() {
        return Err(LocalError::NotAllowed.into());
    }
    let server = Arc::clone(settings.server.as_ref().ok_or(LocalError::NoProgram)?);
    let path = session.url().path();
    let failed = |error: io::Error| failure(session, &error);
    let folder = {
        // A file system may take its time.
        let (settings, path) = (Arc::clone(settings), path.clone());
        let opened = session.door().runtime.spawn_blocking(move || place::open(&settings, &path));
        opened.await.map_err(|error| failed(io::Error::other(error)))??
    };
    let (near, far) = StdUnixStream::pair().map_err(failed)?;
    near.set_nonblocking(true).map_err(failed)?;
    let near = Counted::new(UnixStream::from_std(near).map_err(failed)?, session);
    let (reader, writer) = tokio::io::split(near);
    let (ending, hang_up) = (Arc::new(Ending::default()), CancellationToken::new());
    let (told, must_end, for_session) = (Arc::clone(&ending), hang_up.clone(), session.clone());
    // A thread that lives as long as the program: the kernel ends a child along with the thread that started it.
    let serve = move || {
        let end = server.serve(service, &folder, far, &must_end);
        if let Some(failure) = verdict(&for_session, service, end) {
            // It is told once, and this is the only place that does.
            let _ = told.failure.set(failure);
        }
        told.over.cancel();
    };
    thread::Builder::new().name("local".to_owned()).spawn(serve).map_err(failed)?;
    // Dropped, it ends the program. After a push nothing is lost by that: its hooks come before its last word.
    let held = hang_up.drop_guard();
    Ok((Box::new(reader), Box::new(writer), Line { _held: Some(Box::new(held)), ending: Some(ending) }))
}

fn failure(session: &Session, error: &io::Error) -> NetError {
    LocalError::Failed { path: session.url().path(), reason: error.to_string() }.into()
}

/// What was wrong with the end of the program, if anything.
fn verdict(session: &Session, service: Service, end: io::Result<LocalEnd>) -> Option<NetError> {
    match end {
        Ok(LocalEnd { status, .. }) if status.success() => None,
        Ok(LocalEnd { status, mut words }) => {
            words.truncate(LONGEST_REMOTE_TEXT);
            let (path, program) = (session.url().path(), service.program());
            let remote = RemoteText::said(&words, session);
            Some(LocalError::Program { path, program, ending: told(status), remote }.into())
        }
        Err(error) => Some(failure(session, &error)),
    }
}

fn told(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("status {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => "no word about how".to_owned(),
    }
}
