//! libgit2's smart transport over a `net` session: one stream per request.

use std::cell::RefCell;
use std::io::{self, Read, Write};

use bytes::Bytes;
use git2::transport::{Service, SmartSubtransport, SmartSubtransportStream};
use git2::{Error, ErrorClass, ErrorCode};

use super::guard::{self, FLUSHES_OVER_HTTP, ListingWatch, PackWatch, Watched};
use super::report_watch::ReportWatch;
use super::text::TextReader;
use crate::git::Limits;
use crate::net::{Answer, NetError, Session, Upload};

/// A body up to this size is kept and sent with its length, as git does; old proxies want one. A larger one is sent
/// while it is made.
const KEPT_BODY: usize = 1024 * 1024;

thread_local! {
    static SESSION: RefCell<Option<(Session, Limits)>> = const { RefCell::new(None) };
}

/// While it lives, connections that libgit2 opens on this thread belong to the session. libgit2 has no other way to
/// tell a transport whose run it serves.
pub(super) struct Scope {
    before: Option<(Session, Limits)>,
}

impl Scope {
    pub(super) fn enter(session: &Session, limits: &Limits) -> Self {
        // What an earlier run of this thread ended with.
        guard::reason();
        Self { before: SESSION.replace(Some((session.clone(), *limits))) }
    }
}

impl Drop for Scope {
    fn drop(&mut self) {
        SESSION.replace(self.before.take());
    }
}

/// The session whose scope this thread is in, and its limits.
pub(super) fn session() -> Option<(Session, Limits)> {
    SESSION.with_borrow(Clone::clone)
}

/// One connection of libgit2's.
pub(in crate::git) struct Subtransport {
    session: Option<(Session, Limits)>,
}

impl Subtransport {
    /// For the session whose scope this thread is in.
    pub(in crate::git) fn of_this_thread() -> Self {
        Self { session: session() }
    }
}

impl SmartSubtransport for Subtransport {
    /// Errors are raised here rather than at the making of the transport, where libgit2 would lose them.
    fn action(&self, _url: &str, service: Service) -> Result<Box<dyn SmartSubtransportStream>, Error> {
        let (session, limits) = self.session.as_ref().ok_or_else(|| refusal("no run has opened this connection"))?;
        let list = |program: &str| {
            let answer = session
                .get(&format!("/info/refs?service={program}"), &format!("application/x-{program}-advertisement"));
            let guarded = |answer| Watched::new(answer, ListingWatch::new(session.clone(), limits, FLUSHES_OVER_HTTP));
            answer.map(|answer| Listing(TextReader::new(guarded(answer)))).map_err(refusal)
        };
        let exchange = |program| {
            let state = State::Kept(Vec::new());
            Exchange { session: session.clone(), limits: *limits, program, first: None, state }
        };
        Ok(match service {
            Service::UploadPackLs => Box::new(list("git-upload-pack")?),
            Service::ReceivePackLs => Box::new(list("git-receive-pack")?),
            Service::UploadPack => Box::new(exchange("git-upload-pack")),
            Service::ReceivePack => Box::new(exchange("git-receive-pack")),
        })
    }

    fn close(&self) -> Result<(), Error> {
        Ok(())
    }
}

/// The far side's list of refs.
struct Listing(TextReader<Watched<Answer, ListingWatch>>);

impl Read for Listing {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer).map_err(speakable)
    }
}

impl Write for Listing {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A request that libgit2 writes in many pieces and then reads the answer of.
struct Exchange {
    session: Session,
    limits: Limits,
    program: &'static str,
    /// Bytes of what was written first; of a push, its commands.
    first: Option<usize>,
    state: State,
}

enum State {
    Kept(Vec<u8>),
    Sending(Upload),
    Packs(Box<Watched<Answer, PackWatch>>),
    Report(Box<TextReader<Watched<Answer, ReportWatch>>>),
    /// An error has been told.
    Over,
}

impl Exchange {
    fn path(&self) -> String {
        format!("/{}", self.program)
    }

    fn content_type(&self, direction: &str) -> String {
        format!("application/x-{}-{direction}", self.program)
    }

    fn take(&mut self, data: &[u8]) -> Result<(), NetError> {
        self.first.get_or_insert(data.len());
        match &mut self.state {
            State::Kept(body) if body.len() + data.len() <= KEPT_BODY => body.extend_from_slice(data),
            State::Kept(body) => {
                let body = Bytes::from(std::mem::take(body));
                let (request, result) = (self.content_type("request"), self.content_type("result"));
                let mut upload = self.session.upload(&self.path(), &request, &result)?;
                upload.write(body)?;
                upload.write(Bytes::copy_from_slice(data))?;
                self.state = State::Sending(upload);
            }
            State::Sending(upload) => upload.write(Bytes::copy_from_slice(data))?,
            State::Packs(_) | State::Report(_) | State::Over => {}
        }
        Ok(())
    }

    /// Ends the request, if it has not ended.
    fn ask(&mut self) -> Result<(), NetError> {
        let (request, result) = (self.content_type("request"), self.content_type("result"));
        let answer = match std::mem::replace(&mut self.state, State::Over) {
            State::Kept(body) => self.session.post(&self.path(), &request, body, &result)?,
            State::Sending(upload) => upload.finish()?,
            answered => {
                self.state = answered;
                return Ok(());
            }
        };
        self.state = match self.program {
            "git-receive-pack" => {
                let watch = ReportWatch::new(self.first.unwrap_or_default());
                State::Report(Box::new(TextReader::new(Watched::new(answer, watch))))
            }
            _ => State::Packs(Box::new(Watched::new(answer, PackWatch::new(self.limits)))),
        };
        Ok(())
    }
}

impl Read for Exchange {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.ask().map_err(|error| speakable(io::Error::other(error)))?;
        match &mut self.state {
            State::Packs(answer) => answer.read(buffer).map_err(speakable),
            State::Report(text) => text.read(buffer).map_err(speakable),
            State::Kept(_) | State::Sending(_) | State::Over => Ok(0),
        }
    }
}

impl Write for Exchange {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.take(data).map_err(|error| speakable(io::Error::other(error)))?;
        Ok(data.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
pub(super) fn refusal(error: impl ToString) -> Error {
    Error::new(ErrorCode::GenericError, ErrorClass::Http, error.to_string().replace('\0', " "))
}

/// A null byte in an error's text would abort the process on its way through libgit2.
#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
pub(super) fn speakable(error: io::Error) -> io::Error {
    io::Error::other(error.to_string().replace('\0', " "))
}
