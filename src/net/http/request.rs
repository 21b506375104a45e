//! Requests of one session, for a blocking thread.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue, LOCATION};
use reqwest::{Body, Method, Request, Response, Url};

use super::proxy::Via;
use super::redirect::{self, RedirectProblem};
use super::{Answer, headers};
use crate::net::{NetError, Redirects, Scheme, Session};

/// What is asked first of a repository, and the only request whose redirects may be followed.
const LISTING: &str = "/info/refs";

/// The version of git's protocol that is asked for.
pub(super) const GIT_PROTOCOL: HeaderName = HeaderName::from_static("git-protocol");

/// A server that asks for a pause is given one within the run if it is no longer than this.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

impl Session {
    /// Asks for what lies under the session's URL at `suffix`; the answer must be of `content_type`. A server that is
    /// busy and names a short pause is asked again after it, once.
    ///
    /// # Errors
    /// [`NetError`], which is also kept as the session's failure.
    pub fn get(&self, suffix: &str, content_type: &str) -> Result<Answer, NetError> {
        let asked = self.question(suffix, content_type, None);
        self.door().runtime.block_on(asked).map_err(|error| self.failed(error))
    }

    /// [`Session::get`] within the session's limits, for a version of git's protocol if one is named.
    pub(in crate::net) async fn question(
        &self,
        suffix: &str,
        wanted: &str,
        protocol: Option<&HeaderValue>,
    ) -> Result<Answer, NetError> {
        match self.within(self.question_once(suffix, wanted, protocol)).await {
            Err(error) => {
                let Some(pause) = self.worth_waiting(&error) else { return Err(error) };
                self.pause(pause).await?;
                self.within(self.question_once(suffix, wanted, protocol)).await
            }
            answered => answered,
        }
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
            self.accept(self.execute(request).await?, wanted).await
        })
    }

    pub(in crate::net) fn posting(&self, suffix: &str, sent: &str, wanted: &str) -> Result<Request, NetError> {
        let mut request = self.request(Method::POST, suffix)?;
        for (name, value) in [(CONTENT_TYPE, sent), (ACCEPT, wanted)] {
            let value = HeaderValue::from_str(value).map_err(|error| NetError::Setup(error.to_string()))?;
            request.headers_mut().insert(name, value);
        }
        Ok(request)
    }

    /// A request to where the repository is, with all that the mirror brings along.
    pub(in crate::net) fn request(&self, method: Method, suffix: &str) -> Result<Request, NetError> {
        self.request_to(method, self.target(suffix)?)
    }

    /// Sends a request to where it may go, by the client that has the right identity.
    pub(in crate::net) async fn execute(&self, request: Request) -> Result<Response, NetError> {
        let door = self.door();
        let http = &self.access().http;
        let via = door.clients.proxies.towards(request.url(), http)?;
        self.check_target(request.url(), via.as_ref()).await?;
        let port = request.url().port_or_known_default().unwrap_or_default();
        let client = door.clients.client(http, self.is_foreign(request.url()), via.as_ref(), port)?;
        let whom = authority(request.url());
        let answer = client.execute(request).await.map_err(|error| match &via {
            Some(via) => {
                NetError::from_proxied(&error, &whom, via.authority(), via.login.is_some(), door.connect_timeout)
            }
            None => NetError::from_client(&error, whom, door.connect_timeout),
        })?;
        self.reach();
        Ok(answer)
    }

    /// Goes to where redirects lead, if they are followed.
    async fn question_once(
        &self,
        suffix: &str,
        wanted: &str,
        protocol: Option<&HeaderValue>,
    ) -> Result<Answer, NetError> {
        let mut here = self.target(suffix)?;
        let mut before = Vec::new();
        loop {
            let response = self.asked_at(&here, protocol).await?;
            if response.status().is_redirection() && self.redirects() != Redirects::Refuse {
                let next = self.follow(&response, &here, &before, suffix)?;
                before.push(std::mem::replace(&mut here, next));
                continue;
            }
            let answer = self.accept(response, wanted).await?;
            if let (false, Some(base)) = (before.is_empty(), here.as_str().strip_suffix(suffix)) {
                self.land(base);
            }
            return Ok(answer);
        }
    }

    async fn asked_at(&self, url: &Url, protocol: Option<&HeaderValue>) -> Result<Response, NetError> {
        let send = || async {
            let mut request = self.request_to(Method::GET, url.clone())?;
            if let Some(protocol) = protocol {
                request.headers_mut().insert(GIT_PROTOCOL, protocol.clone());
            }
            self.execute(request).await
        };
        match send().await {
            // The pool may hand out a connection that the server is just closing; a question may be asked twice.
            Err(NetError::Broken { .. }) => send().await,
            first => first,
        }
    }

    pub(super) fn redirects(&self) -> Redirects {
        self.access().http.redirects.unwrap_or(self.door().clients.redirects)
    }

    /// Only the first list of a run may lead elsewhere: after it, all goes where that one ended.
    fn follow(&self, response: &Response, here: &Url, before: &[Url], suffix: &str) -> Result<Url, NetError> {
        let location = response.headers().get(LOCATION).map(HeaderValue::as_bytes).map(String::from_utf8_lossy);
        let followed = match &location {
            _ if self.landed().is_some() => Err(RedirectProblem::Again),
            Some(location) if suffix.starts_with(LISTING) => {
                redirect::next(here, before, location, suffix, self.redirects())
            }
            _ => Err(RedirectProblem::NotTheList),
        };
        followed.map_err(|problem| self.not_followed(response, problem))
    }

    /// Where a request for `suffix` goes.
    fn target(&self, suffix: &str) -> Result<Url, NetError> {
        let text = match self.landed() {
            Some(base) => format!("{base}{suffix}"),
            None => self.url().beneath(suffix),
        };
        Url::parse(&text).map_err(|error| NetError::Setup(error.to_string()))
    }

    fn request_to(&self, method: Method, url: Url) -> Result<Request, NetError> {
        let foreign = self.is_foreign(&url);
        let mut request = Request::new(method, url);
        if !foreign {
            headers::add_own(self.access(), request.headers_mut())?;
        }
        Ok(request)
    }

    /// The proxy on the way to the mirror's own server, as `host:port`.
    pub(in crate::net) fn by_proxy(&self) -> Result<Option<String>, NetError> {
        if !matches!(self.url().scheme(), Scheme::Http | Scheme::Https) {
            return Ok(None);
        }
        let via = self.door().clients.proxies.towards(&self.target("")?, &self.access().http)?;
        Ok(via.map(|via| via.authority()))
    }

    /// Whether this is another server than the mirror's own, so that it must not see what the mirror brings along.
    pub(super) fn is_foreign(&self, url: &Url) -> bool {
        Url::parse(&self.url().beneath("")).map_or(true, |own| own.origin() != url.origin())
    }

    /// Whether `url` may be reached. What the client looks up passes the guard there; what a proxy looks up is looked up
    /// here before, too.
    async fn check_target(&self, url: &Url, via: Option<&Via>) -> Result<(), NetError> {
        let door = self.door();
        let host = url.host_str().unwrap_or_default();
        let port = url.port_or_known_default().unwrap_or_default();
        if let Some(via) = via
            && !via.trusted
        {
            door.resolver.check(via.url.host_str().unwrap_or_default(), via.port())?;
        }
        match via {
            None => door.resolver.check(host, port).map(drop),
            Some(_) if door.clients.proxy_resolves => door.resolver.check_for_proxy(host, port).await,
            Some(_) => door.resolver.resolve(host, port).await.map(drop),
        }
    }

    /// How long to wait before `error` may be over, if that is soon enough for this run.
    fn worth_waiting(&self, error: &NetError) -> Option<Duration> {
        let pause = error.retry_after().filter(|pause| *pause <= LONGEST_PAUSE)?;
        let left = self.allowance().deadline.at().saturating_duration_since(tokio::time::Instant::now());
        (pause < left).then_some(pause)
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

/// `host:port` of a URL, the port always named.
pub(super) fn authority(url: &Url) -> String {
    let port = url.port_or_known_default().unwrap_or_default();
    format!("{}:{port}", url.host_str().unwrap_or_default())
}
