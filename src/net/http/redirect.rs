//! Whether a redirect is followed, and where it leads.

use reqwest::Url;

use crate::net::Redirects;

/// So many one after the other; forges need two: to https, and to the name with `.git`.
pub(super) const MOST_HOPS: usize = 5;

/// Why a redirect is not followed although redirects are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RedirectProblem {
    /// What was protected would not be any more.
    #[error("it leads from https to http")]
    Downgrade,
    /// Another scheme, host or port, and only the same is allowed.
    #[error("it leads to another server, and only redirects within the same one are followed")]
    OtherServer,
    /// Not what was asked for.
    #[error("that is not the list of refs of a repository")]
    NotTheList,
    /// It was there before.
    #[error("it leads in a circle")]
    Circle,
    /// One after the other.
    #[error("there are more than {MOST_HOPS} of them in a row")]
    TooMany,
    /// Only the first list of a run is.
    #[error("this run has followed one before")]
    Again,
    /// Data would go where nobody has looked.
    #[error("a request that sends data is never redirected")]
    WithData,
}

/// Where `location` leads from `here`, to which we came from all that was `before`; what is asked for is `suffix` under
/// some repository.
pub(super) fn next(
    here: &Url,
    before: &[Url],
    location: &str,
    suffix: &str,
    rule: Redirects,
) -> Result<Url, RedirectProblem> {
    let mut to = here.join(location).map_err(|_| RedirectProblem::NotTheList)?;
    to.set_fragment(None);
    // Whose login it is we do not know; the mirror's is another. This fails where there can be none.
    let _ = to.set_username("").and_then(|()| to.set_password(None));
    match () {
        () if !matches!(to.scheme(), "http" | "https") => Err(RedirectProblem::NotTheList),
        () if here.scheme() == "https" && to.scheme() == "http" => Err(RedirectProblem::Downgrade),
        () if rule == Redirects::SameOrigin && to.origin() != here.origin() => Err(RedirectProblem::OtherServer),
        () if !is_at(&to, suffix) => Err(RedirectProblem::NotTheList),
        () if before.contains(&to) || *here == to => Err(RedirectProblem::Circle),
        () if before.len() >= MOST_HOPS => Err(RedirectProblem::TooMany),
        () => Ok(to),
    }
}

/// Whether `url` ends in this path and query.
fn is_at(url: &Url, suffix: &str) -> bool {
    let (path, query) = suffix.split_once('?').map_or((suffix, None), |(path, query)| (path, Some(query)));
    url.path().ends_with(path) && url.query() == query
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUFFIX: &str = "/info/refs?service=git-upload-pack";

    fn step(from: &str, location: &str, rule: Redirects) -> Result<String, RedirectProblem> {
        let here = Url::parse(&format!("{from}{SUFFIX}")).unwrap();
        next(&here, &[], &format!("{location}{SUFFIX}"), SUFFIX, rule).map(|url| url.as_str().replace(SUFFIX, ""))
    }

    #[test]
    fn a_redirect_may_lead_to_another_name_but_not_out_of_https() {
        use RedirectProblem::{Circle, Downgrade, NotTheList, OtherServer};
        use Redirects::{Follow, SameOrigin};
        for (from, location, rule, to) in [
            ("http://a/x", "/x.git", SameOrigin, Ok("http://a/x.git")),
            ("http://a/x", "https://a/x", SameOrigin, Err(OtherServer)),
            ("http://a/x", "http://a:81/x", SameOrigin, Err(OtherServer)),
            ("http://a/x", "//b/x", SameOrigin, Err(OtherServer)),
            ("http://a/x", "http://a:80/y", SameOrigin, Ok("http://a/y")),
            ("http://a/x", "https://b/x", Follow, Ok("https://b/x")),
            ("http://a/x", "http://u:p@b/x", Follow, Ok("http://b/x")),
            ("https://a/x", "http://a/x", Follow, Err(Downgrade)),
            ("https://a/x", "ftp://a/x", Follow, Err(NotTheList)),
            ("https://a/x", "file:///x", Follow, Err(NotTheList)),
            ("https://a/x", "https://a/login?to=", Follow, Err(NotTheList)),
            ("https://a/x", "https://a/x", Follow, Err(Circle)),
            ("http://a/x", "http://0x7f.1/x", Follow, Ok("http://127.0.0.1/x")),
        ] {
            assert_eq!(step(from, location, rule), to.map(str::to_owned), "{from} {location}");
        }
        let here = Url::parse(&format!("http://a/x{SUFFIX}")).unwrap();
        assert_eq!(next(&here, &[], "/login", SUFFIX, Follow), Err(NotTheList));
    }
}
