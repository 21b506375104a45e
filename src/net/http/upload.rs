//! A request body of unknown length, sent while it is written.

use std::io;

use bytes::Bytes;
use reqwest::Body;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::Answer;
use crate::net::{NetError, Session};

/// Pieces on their way from the writer to the connection. A writer that is faster waits.
const PIECES_IN_FLIGHT: usize = 4;

enum Piece {
    Data(Bytes),
    /// Nothing but this ends a body as complete: a writer that goes away leaves a broken one, which no server may take
    /// for the whole.
    End,
}

/// A `POST` whose body is being written.
pub struct Upload {
    session: Session,
    pieces: mpsc::Sender<Piece>,
    request: JoinHandle<Result<reqwest::Response, NetError>>,
    wanted: String,
    /// Whether the request has ended before the upload did.
    over: bool,
}

impl Session {
    /// Starts to send to `suffix`; the answer must be of the type `wanted`.
    ///
    /// # Errors
    /// [`NetError`] if the request cannot be made.
    pub fn upload(&self, suffix: &str, sent: &str, wanted: &str) -> Result<Upload, NetError> {
        let (pieces, mut arriving) = mpsc::channel(PIECES_IN_FLIGHT);
        let mut request = self.posting(suffix, sent, wanted).map_err(|error| self.failed(error))?;
        let counter = self.clone();
        *request.body_mut() = Some(Body::wrap_stream(futures_util::stream::poll_fn(move |context| {
            arriving.poll_recv(context).map(|piece| match piece {
                Some(Piece::Data(data)) => {
                    counter.count_sent(data.len());
                    Some(Ok(data))
                }
                Some(Piece::End) => {
                    arriving.close();
                    None
                }
                None => Some(Err(io::Error::other("the upload was abandoned"))),
            })
        })));
        let session = self.clone();
        let request = self.door().runtime.spawn(async move { session.execute(request).await });
        Ok(Upload { session: self.clone(), pieces, request, wanted: wanted.to_owned(), over: false })
    }
}

impl Upload {
    /// Sends `data`, waiting for room.
    ///
    /// # Errors
    /// [`NetError`]; when the server answered before the end, what it answered.
    pub fn write(&mut self, data: Bytes) -> Result<(), NetError> {
        let taken = self.session.clone().wait(async { Ok(self.pieces.send(Piece::Data(data)).await.is_ok()) })?;
        if taken { Ok(()) } else { Err(self.early_answer()) }
    }

    /// Ends the body and waits for the answer.
    ///
    /// # Errors
    /// [`NetError`], which is also kept as the session's failure.
    pub fn finish(mut self) -> Result<Answer, NetError> {
        let session = self.session.clone();
        session.wait(async {
            // Refused when the request is already over; then its result says why.
            let _ = self.pieces.send(Piece::End).await;
            let response = self.response().await?;
            session.accept(response, &self.wanted).await
        })
    }

    fn early_answer(&mut self) -> NetError {
        let session = self.session.clone();
        let authority = session.url().authority();
        if self.over {
            let reason = "the upload had ended".to_owned();
            return session.failure().unwrap_or(NetError::Broken { authority, reason });
        }
        let answered = session.wait(async {
            let response = self.response().await?;
            session.accept(response, &self.wanted).await
        });
        match answered {
            Ok(_) => session.failed(NetError::Broken { authority, reason: "answered before the upload ended".into() }),
            Err(error) => error,
        }
    }

    async fn response(&mut self) -> Result<reqwest::Response, NetError> {
        let ended = (&mut self.request).await;
        self.over = true;
        ended.unwrap_or_else(|gone| {
            Err(NetError::Broken { authority: self.session.url().authority(), reason: gone.to_string() })
        })
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        self.request.abort();
    }
}
