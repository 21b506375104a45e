//! Which proxy a request goes through, if any.

use hyper_util::client::proxy::matcher::Matcher;
use reqwest::Url;
use reqwest::header::HeaderValue;

use crate::net::{Credentials, HttpAccess, NetError};

/// What the operator says about proxies.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum ProxyChoice {
    /// Straight to the far side.
    #[default]
    None,
    /// As `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY` (or the same in lower case) say.
    Environment,
    /// Through this one, `http://host:port`.
    Url(String),
}

/// [`ProxyChoice`], looked up.
pub(super) enum Proxies {
    None,
    Environment(Box<Matcher>),
    One(Via),
}

/// A proxy on the way to a far side.
#[derive(Clone)]
pub(super) struct Via {
    pub(super) url: Url,
    pub(super) login: Option<HeaderValue>,
    /// Whether the operator chose it, who may choose one in the local network. A mirror's own must pass the guard.
    pub(super) trusted: bool,
    /// Whether it only passes on what the two ends say to each other (`CONNECT`, for https).
    pub(super) tunnels: bool,
}

impl Proxies {
    pub(super) fn new(choice: &ProxyChoice, login: Option<&Credentials>) -> Result<Self, NetError> {
        Ok(match choice {
            ProxyChoice::None => Self::None,
            ProxyChoice::Environment => Self::Environment(Box::new(Matcher::from_env())),
            ProxyChoice::Url(text) => Self::One(Via { login: login_of(login)?, ..Via::new(text, true)? }),
        })
    }

    /// The proxy for `target`: the mirror's own word before the operator's.
    pub(super) fn towards(&self, target: &Url, access: &HttpAccess) -> Result<Option<Via>, NetError> {
        let via = self.named(target, access)?;
        Ok(via.map(|via| Via { tunnels: target.scheme() == "https", ..via }))
    }

    fn named(&self, target: &Url, access: &HttpAccess) -> Result<Option<Via>, NetError> {
        match access.proxy.as_deref() {
            Some("none") => return Ok(None),
            Some(text) => {
                let login = login_of(access.proxy_credentials.as_ref())?;
                return Ok(Some(Via { login, ..Via::new(text, false)? }));
            }
            None => {}
        }
        match self {
            Self::None => Ok(None),
            Self::One(via) => Ok(Some(via.clone())),
            Self::Environment(matcher) => {
                let Some(found) = target.as_str().parse().ok().and_then(|uri| matcher.intercept(&uri)) else {
                    return Ok(None);
                };
                let login = found.basic_auth().cloned().map(sensitive);
                Ok(Some(Via { login, ..Via::new(&found.uri().to_string(), true)? }))
            }
        }
    }
}

impl Via {
    fn new(text: &str, trusted: bool) -> Result<Self, NetError> {
        let url = check_proxy(text)?;
        Ok(Self { url, login: None, trusted, tunnels: false })
    }

    pub(super) fn port(&self) -> u16 {
        self.url.port_or_known_default().unwrap_or_default()
    }

    /// `host:port`, as messages name it.
    pub(super) fn authority(&self) -> String {
        super::request::authority(&self.url)
    }
}

/// Whether `text` is the address of a proxy that can be used.
///
/// # Errors
/// [`NetError::Unusable`], which does not repeat the text.
pub fn check_proxy(text: &str) -> Result<Url, NetError> {
    let unusable = |problem: &str| NetError::Unusable { what: "proxy".to_owned(), problem: problem.to_owned() };
    let url = Url::parse(text).map_err(|_| unusable("http://HOST:PORT is accepted"))?;
    if url.scheme() != "http" || url.host_str().is_none_or(str::is_empty) {
        return Err(unusable("http://HOST:PORT is accepted"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(unusable("its login must stand beside the address, not in it"));
    }
    if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() {
        return Err(unusable("nothing may stand behind HOST:PORT"));
    }
    Ok(url)
}

/// The variables that [`ProxyChoice::Environment`] looks at.
const VARIABLES: [&str; 6] = ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];

/// The first variable of the environment, as `value` tells them, that names a proxy which cannot be used.
pub fn unusable_variable(value: impl Fn(&str) -> Option<String>) -> Option<&'static str> {
    let can_be_used = |text: &str| {
        let text = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
        Url::parse(&text).is_ok_and(|url| url.scheme() == "http" && url.has_host())
    };
    let is_unusable =
        |name: &&str| value(name).is_some_and(|text| !text.trim().is_empty() && !can_be_used(text.trim()));
    VARIABLES.into_iter().find(is_unusable)
}

fn login_of(credentials: Option<&Credentials>) -> Result<Option<HeaderValue>, NetError> {
    let Some(credentials) = credentials else { return Ok(None) };
    let value = HeaderValue::from_str(&credentials.basic()).map_err(|error| NetError::Setup(error.to_string()))?;
    Ok(Some(sensitive(value)))
}

fn sensitive(value: HeaderValue) -> HeaderValue {
    let mut value = value;
    value.set_sensitive(true);
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_of_the_environment_that_cannot_be_used_is_named() {
        let with = |name: &'static str, text: &'static str| {
            unusable_variable(move |asked| (asked == name).then(|| text.to_owned()))
        };
        for text in ["", " ", "http://proxy:3128", "proxy:3128", "HTTP://me:secret@proxy", "127.0.0.1:1"] {
            assert_eq!(with("HTTPS_PROXY", text), None, "{text}");
        }
        for text in ["socks5://proxy:1080", "https://proxy", "socks5h://proxy", "http://", "http://a b"] {
            assert_eq!(with("HTTPS_PROXY", text), Some("HTTPS_PROXY"), "{text}");
            assert_eq!(with("all_proxy", text), Some("all_proxy"), "{text}");
        }
        assert_eq!(with("NO_PROXY", "socks5://proxy"), None);
    }
}
