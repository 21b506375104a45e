//! Jobs of our classes that ask for what only Sidekiq's commercial versions do.

use serde_json::Value;

use super::payload::Payload;

/// Why a job is not ours to run though its class is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::sidekiq) enum BeyondUs {
    /// It belongs to a batch of Pro's. Run here, the batch would never hear of it, and never be complete.
    Batch,
    /// Enterprise has encrypted its last argument, with a key that we do not have.
    Encrypted,
}

impl BeyondUs {
    /// Whether a job is beyond us, and why.
    pub(in crate::sidekiq) fn of(payload: &Payload) -> Option<Self> {
        let bid: Option<Value> = payload.get("bid");
        match bid {
            Some(bid) if !bid.is_null() => Some(Self::Batch),
            _ => (payload.get("encrypt") == Some(true)).then_some(Self::Encrypted),
        }
    }

    /// The reason in words for people.
    pub(in crate::sidekiq) fn reason(self) -> &'static str {
        match self {
            Self::Batch => {
                "it belongs to a batch of Sidekiq Pro (bid), which would never be told that it is done: push it outside \
                 of batches"
            }
            Self::Encrypted => {
                "its arguments are encrypted by Sidekiq Enterprise (encrypt), and only Ruby has the key: push it \
                 without encryption"
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_is_beyond_us_only_if_it_really_is_in_a_batch_or_encrypted() {
        let of = |fields: &str| BeyondUs::of(&Payload::parse(format!(r#"{{"args":[]{fields}}}"#)).unwrap());
        for fields in ["", r#","bid":null"#, r#","encrypt":false,"bid":null"#, r#","encrypt":"true""#] {
            assert_eq!(of(fields), None, "{fields}");
        }
        assert_eq!(of(r#","bid":"b-1""#), Some(BeyondUs::Batch));
        assert_eq!(of(r#","bid":null,"encrypt":true"#), Some(BeyondUs::Encrypted));
    }
}
