//! The keys under which Sidekiq's data lie in Redis.

use std::fmt;
use std::sync::Arc;

use super::identity::Identity;
use super::profile::Profile;

/// The keys of one Sidekiq. Installs of old share a Redis by a namespace, such as GitLab's `resque:gitlab`, which
/// stands before every key; from Sidekiq 7 on there is none.
#[derive(Clone, Default)]
pub struct Keys {
    /// Empty, or the namespace and its colon.
    prefix: Arc<str>,
}

impl Keys {
    /// Keys in this namespace; an empty one means none.
    pub fn new(namespace: &str) -> Self {
        let prefix = if namespace.is_empty() { String::new() } else { format!("{namespace}:") };
        Self { prefix: prefix.into() }
    }

    /// A key that Sidekiq knows by this name.
    pub fn named(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    /// The list of the jobs that wait in a queue.
    pub fn queue(&self, queue: &str) -> String {
        format!("{}queue:{queue}", self.prefix)
    }

    /// The set of the names of all queues.
    pub(super) fn queues(&self) -> String {
        self.named("queues")
    }

    /// The set of the names of queues that nobody is to take jobs from.
    pub(super) fn paused(&self) -> String {
        self.named("paused")
    }

    /// Jobs that wait for a time.
    pub(super) fn schedule(&self) -> String {
        self.named("schedule")
    }

    /// Failed jobs that wait for their next attempt.
    pub(super) fn retry(&self) -> String {
        self.named("retry")
    }

    /// Jobs that will not run again unless somebody asks for it.
    pub(super) fn dead(&self) -> String {
        self.named("dead")
    }

    /// Jobs under which their workers died too often, and which are not run again unless somebody asks for it.
    pub(super) fn interrupted(&self) -> String {
        self.named("interrupted")
    }

    /// Stands while nothing is to be fetched or scheduled anywhere.
    pub(super) fn pause(&self) -> String {
        self.named("sidemirror:pause")
    }

    /// The job classes that are switched off.
    pub(super) fn switched_off(&self) -> String {
        self.named("sidemirror:switched-off")
    }

    /// Stands while any cancellation is under way.
    pub(super) fn cancellations(&self) -> String {
        self.named("sidemirror:cancellations")
    }

    /// Stands while this job is to be cancelled.
    pub(super) fn cancellation(&self, jid: &str) -> String {
        format!("{}sidemirror:cancel:{jid}", self.prefix)
    }

    /// The identities of all processes.
    pub(super) fn processes(&self) -> String {
        self.named("processes")
    }

    /// What a process says about itself.
    pub(super) fn entry(&self, identity: &str) -> String {
        self.named(identity)
    }

    /// What a process is doing, wherever a reader of this version looks for it.
    pub(super) fn busy(&self, identity: &Identity, profile: Profile) -> Vec<String> {
        profile.busy_suffixes().iter().map(|suffix| format!("{}{identity}:{suffix}", self.prefix)).collect()
    }

    /// Where others leave signals for a process.
    pub(super) fn signals(&self, identity: &Identity) -> String {
        format!("{}{identity}-signals", self.prefix)
    }

    /// Where the jobs lie that a process fetched from `queue` and has not settled.
    pub(super) fn working_list(&self, identity: &Identity, queue: &str) -> String {
        format!("{}working:queue:{queue}:{identity}", self.prefix)
    }

    /// Matches the working lists of all processes.
    pub(super) fn working_lists(&self) -> String {
        let namespace: String = self.prefix.chars().flat_map(escaped).collect();
        format!("{namespace}working:queue:*")
    }

    /// What proves to rescuers that the process of this name lives.
    pub(super) fn lease(&self, identity: &str) -> String {
        format!("{}reliable-fetcher-heartbeat-{}", self.prefix, identity.replace(':', "-"))
    }

    /// Says that a process has been here. Nobody else writes or removes it, so that it is only ever gone with all the
    /// rest.
    pub(super) fn presence(&self, identity: &Identity) -> String {
        format!("{}sidemirror:process:{identity}", self.prefix)
    }

    /// Takes the key of a working list apart into queue and identity. Two forms of identity are in use:
    /// `host:pid:nonce`, and `host:pid` of older reliable fetchers.
    pub(super) fn parse_working_list<'k>(&self, key: &'k str) -> Option<(&'k str, &'k str)> {
        let rest = key.strip_prefix(&*self.prefix)?.strip_prefix("working:queue:")?;
        let (head, last) = rest.rsplit_once(':')?;
        let (before, middle) = head.rsplit_once(':')?;
        let queue = match before.rsplit_once(':') {
            Some((queue, _host)) if is_decimal(middle) && is_hex(last) => queue,
            _ if is_decimal(last) => before,
            _ => return None,
        };
        (!queue.is_empty()).then(|| (queue, &rest[queue.len() + 1..]))
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keys({:?})", self.prefix)
    }
}

/// A character of a pattern that stands for itself.
pub(super) fn escaped(letter: char) -> impl Iterator<Item = char> {
    matches!(letter, '*' | '?' | '[' | ']' | '\\').then_some('\\').into_iter().chain([letter])
}

fn is_decimal(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_hex(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_keys_are_taken_apart_as_rescuers_do() {
        let identity = Identity::new();
        for keys in [Keys::default(), Keys::new("resque:gitlab")] {
            for queue in ["mirrors", "a:b", "x:1:2"] {
                let list = keys.working_list(&identity, queue);
                assert_eq!(keys.parse_working_list(&list), Some((queue, identity.as_str())));
            }
        }
    }

    #[test]
    fn both_forms_of_identity_are_understood() {
        let keys = Keys::default();
        assert_eq!(keys.parse_working_list("working:queue:q:vm:12:0af3"), Some(("q", "vm:12:0af3")));
        assert_eq!(keys.parse_working_list("working:queue:q:vm:12"), Some(("q", "vm:12")));
        assert_eq!(keys.lease("vm:12:0af3"), "reliable-fetcher-heartbeat-vm-12-0af3");
        for odd in [
            "working:queue:",
            "working:queue:q",
            "working:queue:q:vm:x",
            "working:queue::vm:12",
            "working:x:vm:12:0af3",
            "queue:q:vm:12",
        ] {
            assert_eq!(keys.parse_working_list(odd), None, "{odd}");
        }
    }

    #[test]
    fn a_namespace_stands_before_every_key() {
        let keys = Keys::new("resque:gitlab");
        assert_eq!(keys.queue("mirrors"), "resque:gitlab:queue:mirrors");
        assert_eq!(Keys::new("a*b").working_lists(), r"a\*b:working:queue:*");
        assert_eq!(keys.parse_working_list("working:queue:q:vm:12:0af3"), None);
    }
}
