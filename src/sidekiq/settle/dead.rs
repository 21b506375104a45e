//! The dead set: jobs that will not run again unless somebody asks for it.

use bytes::Bytes;

use crate::sidekiq::clock;
use crate::sidekiq::job::payload::{Malformed, Payload};
use crate::sidekiq::settings::DeadSettings;

/// What a burial now writes and trims.
pub(in crate::sidekiq) struct Bounds {
    /// The score of the newly dead.
    pub(in crate::sidekiq) now: f64,
    /// Whoever died before this is removed.
    pub(in crate::sidekiq) oldest: f64,
    /// Whoever stands at this rank or before is removed; counted from the end, so that one job less than the
    /// setting says stays, as in Sidekiq.
    pub(in crate::sidekiq) last_rank: i64,
}

impl Bounds {
    pub(in crate::sidekiq) fn now(limits: &DeadSettings) -> Self {
        let now = clock::now();
        Self { now, oldest: now - limits.timeout.as_secs_f64(), last_rank: -i64::from(limits.max_jobs.max(1)) }
    }
}

/// How a text that is no job lies in the set. Sidekiq's API reads objects, and shows any text that does not parse,
/// but raises an error on other JSON, and with it the whole page of the dead is gone. So that becomes the only
/// argument of an object.
pub(in crate::sidekiq) fn legible(text: &Bytes) -> Bytes {
    match Payload::parse(text.clone()) {
        Err(malformed @ Malformed::NotAnObject) => {
            let reason = format!("],\"error_class\":\"TypeError\",\"error_message\":\"{malformed}\"}}");
            [b"{\"args\":[", &text[..], reason.as_bytes()].concat().into()
        }
        _ => text.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_json_that_is_no_object_is_put_into_one() {
        for text in ["not json", "{\"class\":\"A\"}", "{\"class\":"] {
            assert_eq!(legible(&text.into()), text);
        }
        let wrapped = legible(&Bytes::from_static(b" [1E5,\"\xff\"]\n"));
        assert!(wrapped.starts_with(b"{\"args\":[ [1E5,\"\xff\"]\n],\"error_class\":\"TypeError\""));
        assert!(Payload::parse(wrapped).is_ok());
    }
}
