//! The cookie by which GitLab's client knows that a job like the one it is to push waits already.

/// The name of a cookie, seen to be one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cookie(String);

/// What all names begin with.
const NAMESPACE: &str = "resque:gitlab";
/// Longer than any name with a queue in it that a person could have chosen.
const LONGEST: usize = 512;

impl Cookie {
    /// The cookie that an `idempotency_key` names. Any other text could be the key of something else, a queue say,
    /// and what is named here gets deleted.
    pub(super) fn named(idempotency_key: String) -> Option<Self> {
        let rest = idempotency_key.strip_prefix(NAMESPACE).and_then(|rest| rest.strip_prefix(":duplicate:"));
        let (queue, digest) = rest.and_then(|rest| rest.rsplit_once(':')).unwrap_or_default();
        let is_digest = digest.len() == 64 && digest.bytes().all(|digit| digit.is_ascii_hexdigit());
        if queue.is_empty() || !is_digest || idempotency_key.len() > LONGEST {
            tracing::warn!("the job's idempotency_key is not of GitLab's form: left alone");
            return None;
        }
        Some(Self(idempotency_key))
    }

    /// Where the cookie lies. The namespace stands in it twice, also where Sidekiq has none.
    pub(super) fn key(&self) -> String {
        format!("{NAMESPACE}:{}:cookie:v2", self.0)
    }

    /// Where GitLab before 14.8 kept it, in Sidekiq's namespace if there is one.
    pub(super) fn oldest(&self) -> &str {
        &self.0
    }

    /// What says that another job like this one was pushed, and dropped, since it was queued.
    pub(super) fn signal(&self) -> String {
        format!("{}:checking_duplicate", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_gitlab_writes_is_the_name_of_a_cookie() {
        let digest = "0123456789abcdef".repeat(4);
        let name = format!("resque:gitlab:duplicate:default:{digest}");
        let cookie = Cookie::named(name.clone()).unwrap();
        assert_eq!(cookie.key(), format!("resque:gitlab:{name}:cookie:v2"));
        assert_eq!(cookie.signal(), format!("{name}:checking_duplicate"));
        for other in [
            "queue:mirrors".to_owned(),
            format!("resque:gitlab:queue:default:{digest}"),
            format!("resque:gitlab:duplicate::{digest}"),
            format!("resque:gitlab:duplicate:default:{}", &digest[1..]),
            format!("resque:gitlab:duplicate:{}:{digest}", "q".repeat(500)),
            "resque:gitlab:duplicate:".to_owned(),
            String::new(),
        ] {
            assert_eq!(Cookie::named(other.clone()), None, "{other}");
        }
    }
}
