//! One open connection on which both sides talk for as long as they like: SSH, git's own protocol, and programs of this
//! machine.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio_util::sync::CancellationToken;

use super::{NetError, Scheme, Service, Session, daemon, local, ssh};

impl Session {
    /// Connects to the far side and starts `service` there for the session's repository. For the schemes that have one
    /// connection for a whole conversation: `ssh`, `git` and `file`.
    ///
    /// # Errors
    /// [`NetError`], which is also kept as the session's failure.
    pub fn open(&self, service: Service) -> Result<Duplex, NetError> {
        let opened: Pin<Box<dyn Future<Output = _>>> = match self.url().scheme() {
            Scheme::Ssh => Box::pin(ssh::open(self, service)),
            Scheme::Git => Box::pin(daemon::open(self, service)),
            Scheme::File => Box::pin(local::open(self, service)),
            Scheme::Http | Scheme::Https => {
                let problem = "its scheme knows requests only".to_owned();
                Box::pin(async { Err(NetError::Unusable { what: "URL".to_owned(), problem }) })
            }
        };
        let (reader, writer, line) = self.wait(opened)?;
        let line = Arc::new(line);
        Ok(Duplex {
            incoming: Incoming { session: self.clone(), reader, line: Arc::clone(&line), over: false },
            outgoing: Outgoing { session: self.clone(), writer, line },
        })
    }
}

/// Both directions of a connection, for a blocking thread. Every wait keeps to the session's limits, and what fails is
/// also kept as the session's failure. Dropped, the connection is closed.
pub struct Duplex {
    incoming: Incoming,
    outgoing: Outgoing,
}

/// What the far side sends. Reading ends with an [`io::Error`] that holds a [`NetError`]; also at the end of the stream,
/// when the program at the far side ended badly.
pub struct Incoming {
    session: Session,
    reader: Box<dyn AsyncRead + Send + Unpin>,
    line: Arc<Line>,
    over: bool,
}

/// What we send.
pub struct Outgoing {
    session: Session,
    writer: Box<dyn AsyncWrite + Send + Unpin>,
    line: Arc<Line>,
}

/// What keeps a connection open, and what is known about its end.
#[derive(Default)]
pub(super) struct Line {
    /// Closes the connection when it is dropped, and is there for nothing else.
    pub(super) _held: Option<Box<dyn Send + Sync>>,
    /// Nothing where the end of the stream says all.
    pub(super) ending: Option<Arc<Ending>>,
}

/// How the program at the far side ended.
#[derive(Default)]
pub(super) struct Ending {
    pub(super) over: CancellationToken,
    pub(super) failure: OnceLock<NetError>,
}

/// What a transport gives: both directions, and what keeps them open.
pub(super) type Ends = (Box<dyn AsyncRead + Send + Unpin>, Box<dyn AsyncWrite + Send + Unpin>, Line);

impl Duplex {
    /// The two directions, each for a thread of its own.
    pub fn split(self) -> (Incoming, Outgoing) {
        (self.incoming, self.outgoing)
    }

    /// Tells the far side that nothing more will come from us.
    ///
    /// # Errors
    /// [`NetError`].
    pub fn finish_writing(&mut self) -> Result<(), NetError> {
        self.outgoing.finish_writing()
    }
}

impl Incoming {
    fn next(&mut self, buffer: &mut [u8]) -> Result<usize, NetError> {
        if self.over || buffer.is_empty() {
            return Ok(0);
        }
        let Self { session, reader, line, .. } = self;
        let read = session.wait(async {
            match reader.read(buffer).await {
                Ok(0) => line.ended().await.map_or(Ok(0), Err),
                Ok(read) => Ok(read),
                Err(error) => Err(line.broken(session, &error).await),
            }
        })?;
        self.over = read == 0;
        // The bytes were counted as they arrived.
        self.session.touch();
        if read > 0 {
            self.session.reach();
        }
        Ok(read)
    }
}

impl Outgoing {
    /// Tells the clock that nothing is sent because we have nothing to send yet, and nothing can be expected before.
    pub fn is_ours_to_wait_for(&self) {
        self.session.touch();
    }

    /// Tells the far side that nothing more will come.
    ///
    /// # Errors
    /// [`NetError`].
    pub fn finish_writing(&mut self) -> Result<(), NetError> {
        let Self { session, writer, line } = self;
        session.wait(async {
            match line.unless_over(writer.shutdown()).await {
                Ok(()) => Ok(()),
                Err(error) => Err(line.broken(session, &error).await),
            }
        })
    }

    fn send(&mut self, data: &[u8]) -> Result<usize, NetError> {
        // Libraries say good-bye also after a failure; nobody is to wait for that.
        if let Some(failure) = self.session.failure() {
            return Err(failure);
        }
        let Self { session, writer, line } = self;
        let sent = session.wait(async {
            match line.unless_over(writer.write(data)).await {
                Ok(sent) => Ok(sent),
                Err(error) => Err(line.broken(session, &error).await),
            }
        })?;
        self.session.count_sent(sent);
        Ok(sent)
    }
}

impl Line {
    /// `work`, unless the far side ends before it is done: nobody would make room for it any more.
    async fn unless_over<T>(&self, work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
        let Some(ending) = &self.ending else { return work.await };
        tokio::select! {
            biased;
            done = work => done,
            () = ending.over.cancelled() => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }

    /// Waits until all is known about the end, and says what was wrong with it.
    async fn ended(&self) -> Option<NetError> {
        let ending = self.ending.as_ref()?;
        ending.over.cancelled().await;
        ending.failure.get().cloned()
    }

    /// The cause of `error`, if the far side told one.
    async fn broken(&self, session: &Session, error: &io::Error) -> NetError {
        let told = self.ended().await;
        told.unwrap_or_else(|| NetError::Broken { authority: session.url().authority(), reason: error.to_string() })
    }
}

impl io::Read for Incoming {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.next(buffer).map_err(io::Error::other)
    }
}

impl io::Write for Outgoing {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.send(data).map_err(io::Error::other)
    }

    /// Nothing is held back.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl io::Read for Duplex {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.incoming.read(buffer)
    }
}

impl io::Write for Duplex {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.outgoing.write(data)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.outgoing.flush()
    }
}
