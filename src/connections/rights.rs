//! What our user needs in Redis's access control lists, and the rule that would permit what was denied.

use redis::{Arg, Cmd};

/// Commands, as `ACL SETUSER` takes them. All that read and write are there: what we may touch is said by the keys.
pub const COMMANDS: &str = "+@read +@write +@transaction +@connection +@pubsub +eval +evalsha +script|load -@dangerous \
                            +client|id +client|unblock +time +info +role +config|get";

/// Keys: Sidekiq's, sidekiq-cron's, GitLab's and ours. The one with two colons stands for the entries of processes,
/// which are called `HOST:PID:NONCE`, the one with two dashes for the histograms of Sidekiq 7, `CLASS-DAY-HOUR:MINUTE`.
pub const KEYS: &str = "~queue:* ~queues ~paused ~retry ~schedule ~dead ~interrupted ~processes ~process_cleanup ~*:*:* \
                        ~*-signals ~stat:* ~j|* ~h|* ~*-*-*:* ~it-* ~cron_job* ~working:queue:* ~reliable-fetcher-* \
                        ~sidemirror:* ~gitlab-sidekiq-status:* ~resque:gitlab:* ~sidekiq:*";

/// Channels.
pub const CHANNELS: &str = "&sidemirror:* &sidekiq:*";

/// Who may not do what, and the rule that would permit it. Arguments other than keys are never told.
pub(super) fn denial(user: &str, command: Option<&Cmd>, said: &str) -> String {
    let arguments: Vec<String> = command.map(arguments).unwrap_or_default();
    let name = arguments.first().map(|name| name.to_uppercase());
    let (what, rule) = match (&name, concerns_keys(said)) {
        (None, true) => ("a key that a script of ours uses".to_owned(), KEYS.to_owned()),
        (None, false) => ("a command that a script of ours uses".to_owned(), COMMANDS.to_owned()),
        (Some(name), false) => (format!("the command {name}"), format!("+{}", subcommand(name, &arguments))),
        (Some(name), true) => {
            let keys = keys(name, &arguments);
            (format!("a key among {} in {name}", keys.join(", ")), patterns(keys).join(" "))
        }
    };
    format!("the user {user} may not use {what}; ACL SETUSER {user} {rule} would permit it")
}

/// Whether a text of the server's is about keys, and not about the command.
fn concerns_keys(said: &str) -> bool {
    said.contains("key")
}

fn arguments(command: &Cmd) -> Vec<String> {
    let simple = command.args_iter().filter_map(|argument| match argument {
        Arg::Simple(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
        _ => None,
    });
    simple.collect()
}

/// `client|unblock` where there are subcommands.
fn subcommand(name: &str, arguments: &[String]) -> String {
    let name = name.to_lowercase();
    match arguments.get(1) {
        Some(sub) if ["client", "config", "script"].contains(&&*name) => format!("{name}|{}", sub.to_lowercase()),
        _ => name,
    }
}

/// The arguments that are keys.
fn keys<'a>(name: &str, arguments: &'a [String]) -> &'a [String] {
    let rest = arguments.get(1..).unwrap_or_default();
    let count = match name {
        "RPOPLPUSH" | "BRPOPLPUSH" => 2,
        "DEL" | "UNLINK" | "EXISTS" | "WATCH" | "MGET" => rest.len(),
        "EVAL" | "EVALSHA" => {
            let count = rest.get(1).and_then(|count| count.parse().ok()).unwrap_or(0);
            return rest.get(2..).unwrap_or_default().get(..count).unwrap_or_default();
        }
        _ => 1,
    };
    &rest[..count.min(rest.len())]
}

/// The patterns of [`KEYS`] that these keys fall under; a key under none stands for itself.
fn patterns(keys: &[String]) -> Vec<String> {
    let of_key = |key: &String| {
        KEYS.split(' ').find(|pattern| covers(pattern, key)).map_or_else(|| format!("~{key}"), ToOwned::to_owned)
    };
    let mut patterns: Vec<String> = keys.iter().map(of_key).collect();
    patterns.dedup();
    patterns
}

/// Whether a pattern with stars, and a `~` before it, covers a key.
fn covers(pattern: &str, key: &str) -> bool {
    let mut parts = pattern.trim_start_matches('~').split('*');
    let Some(mut rest) = key.strip_prefix(parts.next().unwrap_or_default()) else { return false };
    let mut last = "";
    let mut stars = false;
    for part in parts {
        stars = true;
        let Some(found) = rest.find(part) else { return false };
        rest = &rest[found + part.len()..];
        last = part;
    }
    rest.is_empty() || (stars && (last.is_empty() || key.ends_with(last)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rule_that_is_missing_is_named_and_no_payload() {
        let mut push = redis::cmd("LPUSH");
        push.arg("queue:mirrors").arg("secret");
        let denied = denial("worker", Some(&push), "this user has no permissions to access one of the keys");
        assert_eq!(
            denied,
            "the user worker may not use a key among queue:mirrors in LPUSH; \
             ACL SETUSER worker ~queue:* would permit it"
        );
        let mut unblock = redis::cmd("CLIENT");
        unblock.arg("UNBLOCK").arg(7);
        let denied =
            denial("worker", Some(&unblock), "this user has no permissions to run the 'client|unblock' command");
        assert!(denied.ends_with("ACL SETUSER worker +client|unblock would permit it"), "{denied}");
    }

    #[test]
    fn every_key_falls_under_its_pattern() {
        for (key, pattern) in [
            ("queue:mirrors", "~queue:*"),
            ("queues", "~queues"),
            ("forge-1:4711:5c3a", "~*:*:*"),
            ("forge-1:4711:5c3a-signals", "~*:*:*"),
            ("working:queue:a:forge-1:1:2", "~*:*:*"),
            ("elsewhere", "~elsewhere"),
        ] {
            assert_eq!(patterns(&[key.to_owned()]), [pattern], "{key}");
        }
    }
}
