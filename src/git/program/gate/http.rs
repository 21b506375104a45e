//! The gate for far sides over HTTP: a server on loopback that knows one client and the two addresses that git uses.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use futures_util::stream::{self, BoxStream, StreamExt as _};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyDataStream, BodyExt as _, Empty, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::header::{AUTHORIZATION, CONNECTION, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use secrecy::{ExposeSecret as _, SecretString};
use subtle::ConstantTimeEq as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinHandle, JoinSet};
use tokio::time::timeout;

use crate::git::program::settings::Settings;
use crate::net::{Forwarded, NetError, Question, Service, Session};

/// Connections that have not shown the token, and for how long they may not. Git shows it with its first words; anybody
/// on this machine can knock, and must not keep it out.
const STRANGERS: usize = 32;
const PATIENCE: Duration = Duration::from_secs(2);

/// What is waited when no connection can be accepted: without more files, say.
const PAUSE: Duration = Duration::from_millis(50);

/// Where the far side seems to be.
const PLACE: &str = "/far";

/// A server for one run. Dropped, it is closed, with all its connections.
pub(in crate::git::program) struct HttpGate {
    port: u16,
    token: SecretString,
    serving: JoinHandle<()>,
}

impl HttpGate {
    pub(super) fn open(session: &Session, service: Service) -> io::Result<Self> {
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0))?;
        listener.set_nonblocking(true)?;
        let port = listener.local_addr()?.port();
        let listener = {
            let _inside = session.runtime().enter();
            TcpListener::from_std(listener)?
        };
        let token = SecretString::from(URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>()));
        let warden =
            Warden { pass: format!("Bearer {}", token.expose_secret()).into(), session: session.clone(), service };
        let serving = session.runtime().spawn(serve(listener, Arc::new(warden)));
        Ok(Self { port, token, serving })
    }

    pub(super) fn url(&self) -> String {
        format!("http://127.0.0.1:{}{PLACE}", self.port)
    }

    /// Tells a child how to get through.
    pub(super) fn show(&self, settings: &mut Settings) {
        let url = self.url();
        let pass = format!("Authorization: Bearer {}", self.token.expose_secret());
        settings.add("http", &url, "extraHeader", &pass);
        settings.add("http", &url, "followRedirects", "false");
        settings.add("http", &url, "proxy", "");
        settings.add("http", &url, "emptyAuth", "false");
    }
}

impl Drop for HttpGate {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn serve(listener: TcpListener, warden: Arc<Warden>) {
    let mut connections = JoinSet::new();
    let mut strangers: VecDeque<(AbortHandle, Arc<AtomicBool>)> = VecDeque::new();
    loop {
        tokio::select! {
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => {
                let Ok((connection, _)) = accepted else {
                    tokio::time::sleep(PAUSE).await;
                    continue;
                };
                strangers.retain(|(serving, known)| !serving.is_finished() && !known.load(Ordering::Relaxed));
                if strangers.len() >= STRANGERS && let Some((oldest, _)) = strangers.pop_front() {
                    oldest.abort();
                }
                let known = Arc::new(AtomicBool::new(false));
                let serving = connections.spawn(converse(connection, Arc::clone(&warden), Arc::clone(&known)));
                strangers.push_back((serving, known));
            }
        }
    }
}

/// `known` becomes true when the token was shown.
async fn converse(connection: TcpStream, warden: Arc<Warden>, known: Arc<AtomicBool>) {
    let _ = connection.set_nodelay(true);
    let answering = service_fn(|request: Request<Incoming>| {
        let warden = Arc::clone(&warden);
        known.fetch_or(warden.knows(request.headers()), Ordering::Relaxed);
        async move { Ok::<_, NetError>(warden.answer(request).await) }
    });
    let serving = http1::Builder::new().timer(TokioTimer::new()).serve_connection(TokioIo::new(connection), answering);
    tokio::pin!(serving);
    // An error is the child's to tell, or nobody's: who has no pass is nobody.
    if timeout(PATIENCE, &mut serving).await.is_err() && known.load(Ordering::Relaxed) {
        let _ = serving.await;
    }
}

type Body = UnsyncBoxBody<Bytes, NetError>;

/// Who lets in and what.
struct Warden {
    /// What has to stand in the `Authorization` header.
    pass: SecretString,
    session: Session,
    service: Service,
}

impl Warden {
    async fn answer(&self, request: Request<Incoming>) -> Response<Body> {
        if !self.knows(request.headers()) {
            return refusal(StatusCode::UNAUTHORIZED);
        }
        let Some(question) = self.question(request) else { return refusal(StatusCode::NOT_FOUND) };
        match self.session.forward(question).await {
            Ok(forwarded) => answer(forwarded).unwrap_or_else(|| refusal(StatusCode::BAD_GATEWAY)),
            // The session has kept why.
            Err(_) => refusal(StatusCode::BAD_GATEWAY),
        }
    }

    fn knows(&self, headers: &HeaderMap) -> bool {
        let shown = headers.get(AUTHORIZATION).map(HeaderValue::as_bytes).unwrap_or_default();
        shown.ct_eq(self.pass.expose_secret().as_bytes()).into()
    }

    /// What is asked, if it is one of the two things that git asks of this run's service.
    fn question(&self, request: Request<Incoming>) -> Option<Question> {
        let (head, body) = request.into_parts();
        let program = self.service.program();
        let target = head.uri.path_and_query()?.as_str().strip_prefix(PLACE)?;
        let header = |name: HeaderName| head.headers.get(name).and_then(|value| value.to_str().ok());
        let body: Option<BoxStream<'static, _>> = match head.method {
            Method::GET if target == format!("/info/refs?service={program}") => None,
            Method::POST if target == format!("/{program}") => {
                (header(CONTENT_TYPE)? == format!("application/x-{program}-request")).then_some(())?;
                let gone = self.session.gone();
                Some(BodyDataStream::new(body).map(move |piece| piece.map_err(|_| gone.clone())).boxed())
            }
            _ => return None,
        };
        let protocol = header(HeaderName::from_static("git-protocol")).filter(|value| *value == "version=2");
        let encoding = header(CONTENT_ENCODING).filter(|value| *value == "gzip");
        Some(Question {
            service: self.service,
            protocol: protocol.and_then(|value| value.parse().ok()),
            body,
            encoding: encoding.and_then(|value| value.parse().ok()),
        })
    }
}

/// What comes from the far side, as it comes.
fn answer(forwarded: Forwarded) -> Option<Response<Body>> {
    let content_type = HeaderValue::from_str(forwarded.content_type()).ok()?;
    let pieces = stream::unfold(Some(forwarded), |forwarded| async move {
        let mut forwarded = forwarded?;
        match forwarded.next().await {
            Ok(piece) => Some((Ok(Frame::data(piece?)), Some(forwarded))),
            Err(error) => Some((Err(error), None)),
        }
    });
    let mut response = Response::new(StreamBody::new(pieces).boxed_unsync());
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    Some(response)
}

fn refusal(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Empty::new().map_err(|never| match never {}).boxed_unsync());
    *response.status_mut() = status;
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}
