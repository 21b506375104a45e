//! Answers that are not what was asked for, in words for the mirror's owner.

use std::time::SystemTime;

use reqwest::header::{CONTENT_TYPE, HeaderName, LOCATION};
use reqwest::{Response, StatusCode};

use super::challenge::Challenge;
use super::redirect::RedirectProblem;
use super::retry_after::retry_after;
use super::{Answer, RemoteText};
use crate::net::{NetError, Redirects, Session};

/// Characters of a header that are shown.
const LONGEST_SHOWN: usize = 300;
const LONGEST_REALM: usize = 60;

impl Session {
    /// The answer, if it is a success of the wanted type.
    pub(in crate::net) async fn accept(&self, response: Response, wanted: &str) -> Result<Answer, NetError> {
        let mut response = response;
        if response.status() != StatusCode::OK {
            return Err(self.refusal(&mut response).await);
        }
        let content_type = header(&response, CONTENT_TYPE).unwrap_or_else(|| "none".to_owned());
        if !content_type.split(';').next().is_some_and(|essence| essence.trim().eq_ignore_ascii_case(wanted)) {
            let host = host(&response);
            return Err(NetError::NotGit { host, content_type: self.shown(&content_type, LONGEST_SHOWN) });
        }
        Ok(Answer::new(self, response))
    }

    async fn refusal(&self, response: &mut Response) -> NetError {
        let host = host(response);
        let status = response.status();
        let number = status.as_u16();
        if status.is_redirection() {
            return self.redirected(response);
        }
        let remote = RemoteText::of(response, self).await;
        let until = retry_after(response.headers(), SystemTime::now());
        match status {
            StatusCode::TOO_MANY_REQUESTS => NetError::busy(host, number, until, remote),
            // Some forges tell those who ask too often that it is forbidden.
            StatusCode::FORBIDDEN | StatusCode::SERVICE_UNAVAILABLE if until.is_some() => {
                NetError::busy(host, number, until, remote)
            }
            StatusCode::UNAUTHORIZED => self.login_missing(response, host, remote),
            StatusCode::PROXY_AUTHENTICATION_REQUIRED => self.proxy_login_missing(response, host),
            StatusCode::FORBIDDEN => NetError::AccessDenied { host, remote },
            StatusCode::NOT_FOUND | StatusCode::GONE => NetError::NotFound { host, status: number, remote },
            _ => {
                let reason = status.canonical_reason().map(str::to_owned);
                NetError::Status { host, status: number, reason, remote }
            }
        }
    }

    /// 401: what kind of login would be taken, beside what we have.
    fn login_missing(&self, response: &Response, host: String, remote: RemoteText) -> NetError {
        let challenge = Challenge::new(response.headers());
        let access = self.access();
        if self.is_foreign(response.url()) && (access.http.bearer.is_some() || access.credentials.is_some()) {
            return NetError::LoginNotSent { host, own: self.url().authority() };
        }
        let realm = challenge.realm.as_deref().map(|realm| self.shown(realm, LONGEST_REALM));
        match () {
            () if !challenge.takes_password() && !challenge.takes_token() => {
                NetError::LoginUnsupported { host, schemes: challenge.schemes() }
            }
            () if access.http.bearer.is_some() => NetError::TokenRefused { host, remote },
            () if !challenge.takes_password() => NetError::TokenNeeded { host },
            () if access.credentials.is_some() => NetError::LoginRefused { host, remote },
            () => NetError::LoginNeeded { host, realm, remote },
        }
    }

    /// 407: from our proxy, or from a far side that plays one.
    fn proxy_login_missing(&self, response: &Response, host: String) -> NetError {
        let via = self.door().clients.proxies.towards(response.url(), &self.access().http).ok().flatten();
        match via {
            Some(via) if via.login.is_some() => NetError::ProxyLoginRefused { proxy: via.authority() },
            Some(via) => NetError::ProxyLoginNeeded { proxy: via.authority() },
            None => {
                let reason = StatusCode::PROXY_AUTHENTICATION_REQUIRED.canonical_reason().map(str::to_owned);
                NetError::Status { host, status: 407, reason, remote: RemoteText::default() }
            }
        }
    }

    /// 3xx that is not followed.
    fn redirected(&self, response: &Response) -> NetError {
        if self.redirects() != Redirects::Refuse {
            return self.not_followed(response, RedirectProblem::WithData);
        }
        NetError::Redirected { host: host(response), status: response.status().as_u16(), to: self.whereto(response) }
    }

    pub(super) fn not_followed(&self, response: &Response, problem: RedirectProblem) -> NetError {
        let (host, status, to) = (host(response), response.status().as_u16(), self.whereto(response));
        NetError::RedirectNotFollowed { host, status, to, problem }
    }

    /// The repository that a redirect means, not the list of its refs.
    fn whereto(&self, response: &Response) -> String {
        let to = header(response, LOCATION).unwrap_or_else(|| "nowhere".to_owned());
        self.shown(to.split("/info/refs").next().unwrap_or_default(), LONGEST_SHOWN)
    }
}

fn host(response: &Response) -> String {
    response.url().host_str().unwrap_or_default().to_owned()
}

fn header(response: &Response, name: HeaderName) -> Option<String> {
    response.headers().get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
}
