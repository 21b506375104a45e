//! Jobs of all kinds, pushed by Ruby's client and by hand: each ends where it should, with every byte that is not
//! ours as it was, and Ruby's API reads what we wrote.

use std::collections::BTreeMap;
use std::time::Duration;

use redis::Commands as _;
use serde::Deserialize;
use serde_json::Value;

use crate::odd_payloads::{self, Fate};
use crate::rig::git_http::GitServer;
use crate::rig::installation::Installation;
use crate::rig::redis::Redis;
use crate::rig::repository::Repository;
use crate::rig::ruby::{Ruby, with_every_ruby};
use crate::rig::wait;
use crate::ruby_api::{self, Entry, Seen};
use crate::untouched::is_untouched;
use crate::{beside, is_settled};

/// What the script says must become of one job.
#[derive(Debug, Deserialize)]
struct Expected {
    fate: Fate,
    queue: Option<String>,
    error_class: Option<String>,
    error_message: Option<String>,
}

with_every_ruby!(two_hundred_jobs_and_odd_ones_beside_them_end_where_they_should_byte_for_byte);

fn two_hundred_jobs_and_odd_ones_beside_them_end_where_they_should_byte_for_byte(ruby: Ruby) {
    let (redis, git) = (Redis::start(), GitServer::start());
    let installation = beside(ruby, &redis).set("concurrency", 10);
    let script = format!("{}{}", add_mirrors(&installation, &git), include_str!("mixed_jobs.rb"));
    let expected: BTreeMap<String, Expected> = serde_json::from_value(ruby.eval(&redis.url(), &script)).unwrap();
    assert_eq!(expected.len(), 200);
    let mut connection = redis.connection();
    let from_ruby: Vec<Vec<u8>> = connection.lrange("queue:mirrors", 0, -1).unwrap();
    let mut jobs: Vec<(Vec<u8>, Fate)> =
        from_ruby.into_iter().map(|text| (text.clone(), expected[&jid_of(&text)].fate)).collect();
    for (text, fate) in odd_payloads::all() {
        connection.lpush::<_, _, ()>("queue:mirrors", &text).unwrap();
        jobs.push((text, fate));
    }

    let mut worker = installation.start_worker();
    wait::until("all to be settled", Duration::from_mins(1), || is_settled(&mut connection, "queue:mirrors"));
    assert!(worker.terminate().success());

    let seen = ruby_api::look(ruby, &redis);
    let count = |fates: &[Fate]| jobs.iter().filter(|(_, fate)| fates.contains(fate)).count() as u64;
    let failed = count(&[Fate::Retry, Fate::Dead, Fate::Dropped]);
    assert_eq!((seen.processed, seen.failed), (count(&[Fate::Done]) + failed, failed));
    assert_eq!((seen.processed_today, seen.failed_today), (seen.processed, seen.failed));
    assert_eq!((seen.enqueued, seen.scheduled, seen.processes, seen.busy), (0, 0, 0, 0));
    assert!(seen.queues.values().all(|size| size == 0), "{:?}", seen.queues);
    let keys: Vec<String> = connection.keys("*").unwrap();
    assert!(!keys.iter().any(|key| key.starts_with("queue:") || key.starts_with("working:")), "{keys:?}");

    let of =
        |fate| -> Vec<&[u8]> { jobs.iter().filter(|job| job.1 == fate).map(|(text, _)| text.as_slice()).collect() };
    let rest = without_matches(of(Fate::Retry), seen.retry.iter().map(|entry| &*entry.value).collect(), is_untouched);
    assert_eq!(shown(&rest), [""; 0], "nothing else is in retry");
    let dead: Vec<&[u8]> = seen.dead.iter().map(|entry| &*entry.value).collect();
    let rest = without_matches(of(Fate::Buried), dead, |original, landed| original == landed);
    let wrapped: Vec<Vec<u8>> = of(Fate::Wrapped).iter().map(|text| [b"{\"args\":[", *text, b"]}"].concat()).collect();
    let rest = without_matches(wrapped.iter().map(Vec::as_slice).collect(), rest, is_untouched);
    let rest = without_matches(of(Fate::Dead), rest, is_untouched);
    assert_eq!(shown(&rest), [""; 0], "nothing else is dead");

    for (jid, expected) in &expected {
        if matches!(expected.fate, Fate::Retry | Fate::Dead) {
            assert_reads_well(ruby, seen.entry(jid), expected);
        }
    }
    assert_options_show(ruby, &seen);
    for id in [1, 5] {
        assert_eq!(installation.repository(&format!("pulled/{id}.git")).refs()["refs/heads/main"].len(), 40);
        assert_eq!(Repository::open(&git.repository_path(&format!("far/{id}.git"))).mirrored_refs().len(), 2);
    }
}

/// Five mirrors that work and five whose far side is not there, in each direction; their numbers for the script.
fn add_mirrors(installation: &Installation, git: &GitServer) -> String {
    let upstream = git.create("up/stream.git");
    upstream.commit("main", "first");
    upstream.tag("v1", "main");
    for id in 1..=5 {
        git.create(&format!("far/{id}.git"));
        let local = format!("pushed/{id}.git");
        let repository = Repository::create(installation.repository(&local).path());
        repository.commit("main", "ours");
        repository.tag("v1", "main");
        installation.add_mirror("pull", id, &format!("pulled/{id}.git"), &git.url("up/stream.git"), &[]);
        installation.add_mirror("push", id, &local, &git.url(&format!("far/{id}.git")), &[]);
        installation.add_mirror("pull", 100 + id, &format!("broken/{id}.git"), &git.url("no/where.git"), &[]);
        installation.add_mirror("push", 100 + id, &local, &git.url("no/where.git"), &[]);
    }
    "PULLS = [*1..5]\nPUSHES = [*1..5]\nBROKEN_PULLS = [*101..105]\nBROKEN_PUSHES = [*101..105]\n".to_owned()
}

/// Finds for each original the one text that came of it, and gives back the texts that came of none.
fn without_matches<'t>(
    originals: Vec<&[u8]>,
    mut landed: Vec<&'t [u8]>,
    came_of: fn(&[u8], &[u8]) -> bool,
) -> Vec<&'t [u8]> {
    for original in originals {
        let place = landed.iter().position(|text| came_of(original, text));
        let place = place.unwrap_or_else(|| {
            panic!("nothing came untouched of {}\namong {:#?}", brief(original), shown(&landed));
        });
        landed.remove(place);
    }
    landed
}

fn assert_reads_well(ruby: Ruby, entry: &Entry, expected: &Expected) {
    let reason = format!("{entry:?}");
    assert!(entry.class.is_string(), "{reason}");
    assert_eq!(entry.queue.as_str(), expected.queue.as_deref(), "{reason}");
    assert_eq!(entry.error_class.as_str(), expected.error_class.as_deref(), "{reason}");
    let message = entry.error_message.as_str().unwrap();
    assert!(!message.is_empty() && !message.contains(GitServer::PASSWORD), "{reason}");
    assert!(expected.error_message.as_ref().is_none_or(|expected| expected == message), "{reason}");
    assert_eq!((&entry.retry_count, &entry.retried_at), (&0.into(), &Value::Null), "{reason}");
    // 8 writes milliseconds.
    let unit = if ruby == Ruby::Sid { 1000.0 } else { 1.0 };
    assert_eq!(entry.failed_at.is_i64(), ruby == Ruby::Sid, "{reason}");
    let delay = entry.score - entry.failed_at.as_f64().unwrap() / unit;
    let due = if expected.fate == Fate::Retry { 14.999..25.0 } else { -0.001..1.0 };
    assert!(due.contains(&delay), "{delay}: {reason}");
    assert!((entry.at - entry.score).abs() < 1e-6, "{reason}");
}

/// What the jobs asked for by their options.
fn assert_options_show(ruby: Ruby, seen: &Seen) {
    let lines = |entry: &Entry| entry.backtrace.as_ref().map_or(0, Vec::len);
    let all = || seen.retry.iter().chain(&seen.dead);
    assert_eq!(all().filter(|entry| entry.tags == ["mirror", "größe"] && lines(entry) > 0).count(), 10);
    assert!(all().filter(|entry| entry.error_class == "NameError").all(|entry| lines(entry) == 0));
    let broken: Vec<&Entry> = all().filter(|entry| entry.error_class == "Sidemirror::UpdateError").collect();
    assert_eq!(broken.len(), 10);
    for entry in broken {
        let first = format!("Sidemirror::UpdateError: {}", entry.error_message.as_str().unwrap());
        assert_eq!(entry.backtrace.as_ref().unwrap()[0], first);
    }
    let as_a_list = seen.entry("a backtrace as a list");
    assert_eq!(as_a_list.backtrace.as_deref(), Some(&["one".to_owned(), "two".to_owned()][..]));
    assert_eq!((&as_a_list.retry_count, as_a_list.retried_at.is_i64()), (&1.into(), ruby == Ruby::Sid));
    assert_eq!(
        (&seen.entry("exhausted").retry_count, &seen.entry("escaped keys").retry_count),
        (&25.into(), &5.into())
    );
    assert_eq!(seen.entry("exhausted").failed_at, 1_700_000_000.25);
    assert_eq!(seen.entry("no class").error_message, "uninitialized constant ");
}

fn jid_of(text: &[u8]) -> String {
    let job: Value = serde_json::from_slice(text).unwrap();
    job["jid"].as_str().unwrap().to_owned()
}

fn shown(texts: &[&[u8]]) -> Vec<String> {
    texts.iter().map(|text| brief(text)).collect()
}

fn brief(text: &[u8]) -> String {
    String::from_utf8_lossy(text).chars().take(600).collect()
}
