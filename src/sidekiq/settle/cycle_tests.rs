//! A job goes round as often as it likes, through failures, retries and delays, and nothing of it wears off.

use bytes::Bytes;
use proptest::prelude::*;
use tokio_util::sync::CancellationToken;

use crate::sidekiq::fetch::queues::QueueSet;
use crate::sidekiq::job::payload::Payload;
use crate::sidekiq::job::ruby_texts;
use crate::sidekiq::job::untouched;
use crate::sidekiq::job::{Job, JobFailure};
use crate::sidekiq::processor;
use crate::sidekiq::profile::Profile;
use crate::sidekiq::settings::Settings;
use crate::sidekiq::settle::Settlement;
use crate::sidekiq::settle::poller;
use crate::sidekiq::settle::retry::{Wish, after_failure};

/// Longer than any job is retried.
const ROUNDS: u32 = 30;

fn failure(round: u32) -> JobFailure {
    let message = "boom \u{0}\"\\\u{2028} \u{1f600}".repeat(round as usize % 3);
    JobFailure { error_class: "IOError".into(), message, causes: vec!["a cable".into()] }
}

fn text(settlement: Settlement) -> (Bytes, bool) {
    match settlement {
        Settlement::Retry(text, _) | Settlement::Later(text, _) => (text, false),
        Settlement::Dead(text) => (text, true),
        _ => panic!("the job is gone"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn any_job_that_ruby_writes_goes_round_with_every_unowned_byte_as_it_was(
        original in ruby_texts::job(),
        profile in proptest::sample::select(vec![Profile::V6_4, Profile::V6_5, Profile::V7, Profile::V8]),
        rounds in 1..ROUNDS,
    ) {
        let settings = Settings::new(1, QueueSet::new([("a".to_owned(), 1)]).unwrap(), profile);
        let mut now = 1_700_000_000.25;
        let mut lying = Bytes::from(original.clone());
        for round in 0..rounds {
            let payload = Payload::parse(lying.clone()).unwrap();
            let (failed, dead) = text(after_failure(&payload, "b", &failure(round), Wish::None, &settings, now));
            prop_assert!(untouched::is_untouched(&original, &failed), "failed: {}", failed.escape_ascii());
            if dead {
                break;
            }
            now += 60.5;
            let due = poller::enqueued(&Payload::parse(failed).unwrap(), profile.timestamp(now));
            prop_assert!(untouched::is_untouched(&original, &due), "due: {}", due.escape_ascii());
            let job = Job::new(Payload::parse(due).unwrap(), "a", &CancellationToken::new());
            (lying, _) = text(processor::put_off(&job, now));
            prop_assert!(untouched::is_untouched(&original, &lying), "put off: {}", lying.escape_ascii());
        }
    }
}
