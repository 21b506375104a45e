//! Requests and answers of one session, for a blocking thread.

use std::io;

use bytes::{Buf, Bytes};
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue, LOCATION};
use reqwest::{Body, Method, Request, Response, StatusCode, Url};

use super::{NetError, Session};

/// The most of an unwanted rest that is read, so that its connection can serve again.
const REST_WORTH_READING: usize = 64 * 1024;

impl Session {
    /// Asks for what lies under the session's URL at `suffix`; the answer must be of `content_type`.
    ///
    /// # Errors
    /// [`NetError`], which is also kept as the session's failure.
    pub fn get(&self, suffix: &str, content_type: &str) -> Result<Answer, NetError> {
        let send = || async { self.execute(self.request(Method::GET, suffix)?).await };
        self.wait(async {
            let response = match send().await {
                // The pool may hand out a connection that the server is just closing; a question may be asked twice.
                Err(NetError::Broken { .. }) => send().await?,
                first => first?,
            };
            self.accept(response, content_type)
        })
    }

    /// Sends `body`, whole and with its length.
    ///
    /// # Errors
    /// [`NetError`], which is also kept as the session's failure.
    pub fn post(&self, suffix: &str, sent: &str, body: Vec<u8>, wanted: &str) -> Result<Answer, NetError> {
        self.wait(async {
            let length = body.len();
            let mut request = self.posting(suffix, sent, wanted)?;
            request.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(length));
            *request.body_mut() = Some(self.counted(Bytes::from(body)));
            self.accept(self.execute(request).await?, wanted)
        })
    }

    pub(super) fn posting(&self, suffix: &str, sent: &str, wanted: &str) -> Result<Request, NetError> {
        let mut request = self.request(Method::POST, suffix)?;
        for (name, value) in [(CONTENT_TYPE, sent), (ACCEPT, wanted)] {
            let value = HeaderValue::from_str(value).map_err(|error| NetError::Setup(error.to_string()))?;
            request.headers_mut().insert(name, value);
        }
        Ok(request)
    }

    pub(super) async fn execute(&self, request: Request) -> Result<Response, NetError> {
        let door = self.door();
        let sent = door.client(self.url().port()).execute(request).await;
        sent.map_err(|error| NetError::from_client(&error, self.url().authority(), door.connect_timeout))
    }

    /// The answer, if it is a success of the wanted type.
    pub(super) fn accept(&self, response: Response, wanted: &str) -> Result<Answer, NetError> {
        let host = self.url().host().to_owned();
        let status = response.status();
        let header = |name| response.headers().get(name).map(|value| String::from_utf8_lossy(value.as_bytes()));
        match status {
            StatusCode::OK => {}
            StatusCode::UNAUTHORIZED if self.credentials().is_some() => return Err(NetError::LoginRefused { host }),
            StatusCode::UNAUTHORIZED => return Err(NetError::LoginNeeded { host }),
            StatusCode::FORBIDDEN => return Err(NetError::AccessDenied { host }),
            StatusCode::NOT_FOUND | StatusCode::GONE => {
                return Err(NetError::NotFound { host, status: status.as_u16() });
            }
            _ if status.is_redirection() => {
                let to = header(LOCATION).unwrap_or("nowhere".into());
                // The repository is meant, not the list of its refs.
                let to = self.mask(to.split("/info/refs").next().unwrap_or_default());
                return Err(NetError::Redirected { host, status: status.as_u16(), to: printable(&to) });
            }
            _ => {
                let reason = status.canonical_reason().map(str::to_owned);
                return Err(NetError::Status { host, status: status.as_u16(), reason });
            }
        }
        let content_type = header(CONTENT_TYPE).unwrap_or("none".into());
        if !content_type.split(';').next().is_some_and(|essence| essence.trim().eq_ignore_ascii_case(wanted)) {
            return Err(NetError::NotGit { host, content_type: printable(&content_type) });
        }
        Ok(Answer { session: self.clone(), response: Some(response), chunk: Bytes::new(), left: u64::MAX })
    }

    fn request(&self, method: Method, suffix: &str) -> Result<Request, NetError> {
        // A host written as an address never reaches the client's resolver, and no port does.
        self.door().resolver.check(self.url().host(), self.url().port())?;
        let setup = |error: &dyn std::error::Error| NetError::Setup(error.to_string());
        let url = Url::parse(&self.url().beneath(suffix)).map_err(|error| setup(&error))?;
        let mut request = Request::new(method, url);
        if let Some(credentials) = self.credentials() {
            let mut value = HeaderValue::from_str(&credentials.basic()).map_err(|error| setup(&error))?;
            value.set_sensitive(true);
            request.headers_mut().insert(AUTHORIZATION, value);
        }
        Ok(request)
    }

    /// A body in pieces that are counted as they leave, so that a slow upload is not taken for silence.
    fn counted(&self, body: Bytes) -> Body {
        const PIECE: usize = 64 * 1024;
        let state = (self.clone(), body);
        Body::wrap_stream(futures_util::stream::unfold(state, |(session, mut rest)| async move {
            if rest.is_empty() {
                return None;
            }
            let piece = rest.split_to(rest.len().min(PIECE));
            session.count_sent(piece.len());
            Some((Ok::<_, io::Error>(piece), (session, rest)))
        }))
    }
}

/// Foreign text on one line and of bounded length.
fn printable(text: &str) -> String {
    text.chars().filter(|character| !character.is_control()).take(300).collect()
}

/// The body of an answer. Reading ends with an [`io::Error`] that holds a [`NetError`].
pub struct Answer {
    session: Session,
    /// `None` once its end was seen.
    response: Option<Response>,
    chunk: Bytes,
    /// How many more bytes we are ready to take.
    left: u64,
}

impl Answer {
    /// Takes no more than `limit` bytes; reading on ends with [`NetError::TooLarge`].
    #[must_use]
    pub fn limited(self, limit: u64) -> Self {
        let mut answer = self;
        answer.left = limit;
        answer
    }

    /// The next piece; `None` at the end.
    fn next(&mut self) -> Result<Option<Bytes>, NetError> {
        let Some(response) = &mut self.response else { return Ok(None) };
        let session = &self.session;
        let limit = session.door().connect_timeout;
        let told = |error: &reqwest::Error| NetError::from_client(error, session.url().authority(), limit);
        let Some(chunk) = session.wait(async { response.chunk().await.map_err(|error| told(&error)) })? else {
            self.response = None;
            return Ok(None);
        };
        session.count_received(chunk.len());
        match self.left.checked_sub(chunk.len() as u64) {
            Some(left) => self.left = left,
            None => return Err(session.failed(NetError::TooLarge { host: session.url().host().to_owned() })),
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
    /// that ended because of silence must not wait for the same silence again.
    fn drop(&mut self) {
        let Some(mut response) = self.response.take() else { return };
        if self.session.failure().is_some() {
            return;
        }
        let limit = self.session.door().stall_timeout;
        self.session.door().runtime.spawn(async move {
            let drain = async {
                let mut read = 0;
                while let Ok(Some(chunk)) = response.chunk().await {
                    read += chunk.len();
                    if read > REST_WORTH_READING {
                        break;
                    }
                }
            };
            let _ = tokio::time::timeout(limit.min(std::time::Duration::from_secs(1)), drain).await;
        });
    }
}
