//! The name of this process in Redis, and the keys that carry it.

use std::fmt;
use std::sync::Arc;

/// `<hostname>:<pid>:<12 hexadecimal digits>`, unique for the life of a process.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Identity {
    hostname: Arc<str>,
    text: Arc<str>,
}

impl Identity {
    /// The name of this process, new with each call.
    pub fn new() -> Self {
        // Readers take the name apart at its colons.
        let hostname = gethostname::gethostname().to_string_lossy().replace(':', "-");
        let nonce = rand::random::<u64>() >> 16;
        let text = format!("{hostname}:{}:{nonce:012x}", std::process::id()).into();
        Self { hostname: hostname.into(), text }
    }

    /// The whole name.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The name of the machine.
    pub fn hostname(&self) -> &str {
        &self.hostname
    }

    /// Where the jobs lie that this process fetched from `queue` and has not settled.
    pub(super) fn working_list(&self, queue: &str) -> String {
        format!("working:queue:{queue}:{self}")
    }

    /// What proves to rescuers that this process lives.
    pub(super) fn lease_key(&self) -> String {
        lease_key(self.as_str())
    }

    /// Where others leave signals for this process.
    pub(super) fn signals_key(&self) -> String {
        format!("{self}-signals")
    }
}

impl Default for Identity {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The key of the lease of the process of this name.
pub(super) fn lease_key(identity: &str) -> String {
    format!("reliable-fetcher-heartbeat-{}", identity.replace(':', "-"))
}

/// The key of a queue.
pub(super) fn queue_key(queue: &str) -> String {
    format!("queue:{queue}")
}

/// Takes `working:queue:<queue>:<identity>` apart into the key `queue:<queue>` and the identity. Two forms of
/// identity are in use: `host:pid:nonce`, and `host:pid` of older reliable fetchers.
pub(super) fn parse_working_list(key: &str) -> Option<(&str, &str)> {
    let rest = key.strip_prefix("working:").filter(|rest| rest.starts_with("queue:"))?;
    let (head, last) = rest.rsplit_once(':')?;
    let (before, middle) = head.rsplit_once(':')?;
    let split = match before.rsplit_once(':') {
        Some((queue, host)) if is_decimal(middle) && is_hex(last) && queue.starts_with("queue:") => {
            (queue, &rest[rest.len() - host.len() - middle.len() - last.len() - 2..])
        }
        _ if is_decimal(last) && before.starts_with("queue:") => {
            (before, &rest[rest.len() - middle.len() - last.len() - 1..])
        }
        _ => return None,
    };
    (split.0.len() > "queue:".len()).then_some(split)
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
        for queue in ["mirrors", "a:b", "x:1:2"] {
            let list = identity.working_list(queue);
            assert_eq!(parse_working_list(&list), Some((queue_key(queue).as_str(), identity.as_str())));
        }
    }

    #[test]
    fn both_forms_of_identity_are_understood() {
        assert_eq!(parse_working_list("working:queue:q:vm:12:0af3"), Some(("queue:q", "vm:12:0af3")));
        assert_eq!(parse_working_list("working:queue:q:vm:12"), Some(("queue:q", "vm:12")));
        assert_eq!(lease_key("vm:12:0af3"), "reliable-fetcher-heartbeat-vm-12-0af3");
        for odd in
            ["working:queue:", "working:queue:q", "working:queue:q:vm:x", "working:x:vm:12:0af3", "queue:q:vm:12"]
        {
            assert_eq!(parse_working_list(odd), None, "{odd}");
        }
    }
}
