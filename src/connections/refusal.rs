//! What a server means when it answers with an error.

use std::collections::HashSet;

use redis::{ErrorKind, RedisError, ServerErrorKind};

/// Codes of refusals that are due to the server's state and not to the request.
const OF_THE_MOMENT: [&str; 10] = [
    "LOADING",
    "READONLY",
    "OOM",
    "MISCONF",
    "NOREPLICAS",
    "MASTERDOWN",
    "CLUSTERDOWN",
    "TRYAGAIN",
    "BUSY",
    // A blocked command was thrown out, as it is when a master becomes a replica.
    "UNBLOCKED",
];
const TOO_MANY_CLIENTS: &str = "max number of clients reached";

/// Whether the server answered, with an error.
pub(super) fn is_answer(error: &RedisError) -> bool {
    // Of several commands sent together, the library tells the code of an error only if it knows the code itself.
    !error.is_io_error() && (error.code().is_some() || error.clone().into_server_errors().is_some())
}

/// Whether the same request will be served once the server is well again.
pub(super) fn is_of_the_moment(error: &RedisError) -> bool {
    let codes = codes(error);
    OF_THE_MOMENT.iter().any(|code| codes.contains(*code))
        || error.detail().is_some_and(|detail| detail.contains(TOO_MANY_CLIENTS))
}

/// Whether this server will not do any more, but another one may.
pub(super) fn is_of_a_replica(error: &RedisError) -> bool {
    let codes = codes(error);
    ["READONLY", "MASTERDOWN", "UNBLOCKED"].iter().any(|code| codes.contains(*code))
}

/// Whether the access control lists forbid it.
pub(super) fn is_denied(error: &RedisError) -> bool {
    codes(error).contains("NOPERM")
        || error.detail().is_some_and(|detail| detail.contains("The user executing the script"))
}

/// All codes in an error: of a command, of each command of a pipeline or transaction, and of what a script met.
pub(super) fn codes(error: &RedisError) -> HashSet<String> {
    let mut codes = HashSet::new();
    let Some(errors) = error.clone().into_server_errors() else { return codes };
    for (_, error) in errors.iter() {
        codes.insert(error.code().to_owned());
        // Before Redis 7, what a script met stands inside of an ERR: `... @user_script: 1: -OOM command not ...`.
        let details = error.details().unwrap_or_default();
        codes.extend(details.split(' ').filter_map(|word| word.strip_prefix('-')).map(ToOwned::to_owned));
    }
    codes
}

/// Whether the connection cannot be used any more although it is open. A master that has lost its replicas may have been
/// cut off from the others, who have a new one by now.
pub(super) fn needs_new_connection(error: &RedisError) -> bool {
    let was_left_alone = codes(error).contains("NOREPLICAS");
    let is_read_only = error.kind() == ErrorKind::Server(ServerErrorKind::ReadOnly);
    error.is_timeout() || is_read_only || is_of_a_replica(error) || was_left_alone
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(code: &str, detail: &str) -> RedisError {
        redis::make_extension_error(code.to_owned(), Some(detail.to_owned()))
    }

    #[test]
    fn a_refusal_inside_a_script_of_an_old_server_is_seen() {
        let old = "Error running script (call to f_1): @user_script:1: @user_script: 1: -OOM command not allowed";
        assert!(is_of_the_moment(&error("ERR", old)));
        assert!(!is_of_the_moment(&error("ERR", "Error running script (call to f_1): -WRONGTYPE Operation")));
        assert!(!is_of_the_moment(&error("WRONGTYPE", "Operation against a key holding the wrong kind of value")));
        assert!(is_of_the_moment(&error("ERR", "max number of clients reached")));
    }
}
