//! The body of an answer, read on a blocking thread.

use std::io;
use std::time::Duration;

use bytes::{Buf, Bytes};
use futures_util::FutureExt as _;
use reqwest::Response;

use super::request::authority;
use crate::net::{NetError, Session};

/// The most of an unwanted rest that is read, so that its connection can serve again.
const REST_WORTH_READING: usize = 64 * 1024;

/// The body of an answer, decompressed. Reading ends with an [`io::Error`] that holds a [`NetError`].
pub struct Answer {
    session: Session,
    /// `None` once its end was seen.
    response: Option<Response>,
    chunk: Bytes,
    /// How many more bytes we are ready to take.
    left: u64,
}

impl Answer {
    pub(super) fn new(session: &Session, response: Response) -> Self {
        Self { session: session.clone(), response: Some(response), chunk: Bytes::new(), left: u64::MAX }
    }

    /// Takes no more than `limit` bytes; reading on ends with [`NetError::TooLarge`].
    #[must_use]
    pub fn limited(self, limit: u64) -> Self {
        let mut answer = self;
        answer.left = limit;
        answer
    }

    /// The next piece; `None` at the end.
    fn next(&mut self) -> Result<Option<Bytes>, NetError> {
        let session = self.session.clone();
        session.wait(self.receive())
    }

    /// The next piece, for whoever waits by himself.
    pub(super) async fn receive(&mut self) -> Result<Option<Bytes>, NetError> {
        let Some(response) = &mut self.response else { return Ok(None) };
        let session = &self.session;
        let limit = session.door().connect_timeout;
        let whom = authority(response.url());
        let told = |error: &reqwest::Error| NetError::from_client(error, whom, limit);
        let Some(chunk) = response.chunk().await.map_err(|error| told(&error))? else {
            self.response = None;
            return Ok(None);
        };
        session.count_received(chunk.len());
        match self.left.checked_sub(chunk.len() as u64) {
            Some(left) => self.left = left,
            None => return Err(NetError::TooLarge { host: session.url().host().to_owned() }),
        }
        Ok(Some(chunk))
    }
}

impl io::Read for Answer {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.chunk.is_empty() {
            match self.next().map_err(io::Error::other)? {
                Some(chunk) => self.chunk = chunk,
                None => return Ok(0),
            }
        }
        let read = buffer.len().min(self.chunk.len());
        self.chunk.copy_to_slice(&mut buffer[..read]);
        Ok(read)
    }
}

impl Drop for Answer {
    /// Gives the connection back if the rest of the answer is short and soon there. Nobody waits for it here: a run
    /// that ends early ends at once.
    fn drop(&mut self) {
        let Some(response) = self.response.take() else { return };
        if self.session.failure().is_some() {
            return;
        }
        let runtime = &self.session.door().runtime;
        let _inside = runtime.enter();
        let mut rest = Box::pin(drain(response));
        // Mostly the end is here already, and the run's next request, which may follow at once, finds the connection.
        if (&mut rest).now_or_never().is_none() {
            let limit = self.session.door().stall_timeout.min(Duration::from_secs(1));
            runtime.spawn(tokio::time::timeout(limit, rest));
        }
    }
}

/// Reads to the end, if that is not far.
async fn drain(mut response: Response) {
    let mut read = 0;
    while let Ok(Some(chunk)) = response.chunk().await {
        read += chunk.len();
        if read > REST_WORTH_READING {
            break;
        }
    }
}
