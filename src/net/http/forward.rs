//! Requests of a git program that reaches the far side through us.

use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::BoxStream;
use futures_util::{FutureExt as _, StreamExt as _};
use reqwest::header::{CONTENT_ENCODING, HeaderValue};
use reqwest::{Body, Request};
use tokio::runtime::Handle;
use tokio::time::sleep;

use super::Answer;
use super::request::GIT_PROTOCOL;
use crate::net::{NetError, Service, Session};

/// How often the clock is told that it is not the far side that lets us wait.
const STILL_WRITING: Duration = Duration::from_millis(500);

/// What the program may ask for. Nothing else of its request goes on.
pub struct Question {
    /// Whom it asks.
    pub service: Service,
    /// The version of git's protocol that it would like, such as `version=2`.
    pub protocol: Option<HeaderValue>,
    /// Nothing for a list of refs; otherwise what it posts. It may end with an error ([`Session::gone`]).
    pub body: Option<BoxStream<'static, Result<Bytes, NetError>>>,
    /// How that is encoded, such as `gzip`.
    pub encoding: Option<HeaderValue>,
}

/// The far side's answer on its way to the program.
pub struct Forwarded {
    session: Session,
    answer: Answer,
    content_type: String,
}

impl Session {
    /// The runtime on which the connections live.
    pub fn runtime(&self) -> &Handle {
        &self.door().runtime
    }

    /// How a body ends whose writer went away before its end.
    pub fn gone(&self) -> NetError {
        NetError::Broken { authority: self.url().authority(), reason: "the upload was abandoned".to_owned() }
    }

    /// Asks the far side what the program asks us, within this session's limits, with this session's login.
    ///
    /// # Errors
    /// [`NetError`], which is also kept as the session's failure.
    pub async fn forward(&self, question: Question) -> Result<Forwarded, NetError> {
        let program = question.service.program();
        let kind = if question.body.is_some() { "result" } else { "advertisement" };
        let content_type = format!("application/x-{program}-{kind}");
        let answer = match question.body {
            None => {
                let suffix = format!("/info/refs?service={program}");
                let listed = self.question(&suffix, &content_type, question.protocol.as_ref()).await;
                listed.map_err(|error| self.failed(error))?.limited(self.allowance().listing)
            }
            Some(body) => {
                let request = self.passed_on(program, &content_type, question.protocol, question.encoding, body);
                self.watched(async { self.accept(self.execute(request?).await?, &content_type).await }).await?
            }
        };
        Ok(Forwarded { session: self.clone(), answer, content_type })
    }

    fn passed_on(
        &self,
        program: &str,
        wanted: &str,
        protocol: Option<HeaderValue>,
        encoding: Option<HeaderValue>,
        body: BoxStream<'static, Result<Bytes, NetError>>,
    ) -> Result<Request, NetError> {
        let sent = format!("application/x-{program}-request");
        let mut request = self.posting(&format!("/{program}"), &sent, wanted)?;
        let named = [(GIT_PROTOCOL, protocol), (CONTENT_ENCODING, encoding)];
        for (name, value) in named.into_iter().filter_map(|(name, value)| Some((name, value?))) {
            request.headers_mut().insert(name, value);
        }
        *request.body_mut() = Some(self.passing_on(body));
        Ok(request)
    }

    /// `body`, counted as it leaves. It is asked for more only while the far side takes it, so that waiting here is
    /// waiting for the program, which is not the far side's fault.
    fn passing_on(&self, body: BoxStream<'static, Result<Bytes, NetError>>) -> Body {
        let session = self.clone();
        Body::wrap_stream(futures_util::stream::unfold((session, body), |(session, mut body)| async move {
            let piece = {
                let mut next = body.next().fuse();
                loop {
                    tokio::select! {
                        piece = &mut next => break piece?,
                        () = sleep(STILL_WRITING) => session.touch(),
                    }
                }
            };
            if let Ok(piece) = &piece {
                session.count_sent(piece.len());
            }
            Some((piece, (session, body)))
        }))
    }
}

impl Forwarded {
    /// What it is.
    pub fn content_type(&self) -> &str {
        &self.content_type
    }

    /// The next piece; `None` at the end.
    ///
    /// # Errors
    /// [`NetError`], which is also kept as the session's failure.
    pub async fn next(&mut self) -> Result<Option<Bytes>, NetError> {
        self.session.watched(self.answer.receive()).await
    }
}
