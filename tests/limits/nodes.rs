//! What a failure of one run means for the others at a host, as Redis keeps it for all nodes.

use std::time::Duration;

use sidemirror::connections::{Redis, RedisSettings};
use sidemirror::coordination::hosts::{Alone, Entry, Found, Held, Hosts, Turn};
use sidemirror::mirror::hosts::HostRules;

use crate::rig;

const HOST: &str = "git.example.com:443";
const LONG: Duration = Duration::from_hours(20);

async fn hosts(redis: &rig::redis::Redis) -> Hosts {
    let connection = Redis::connect(&RedisSettings::new(redis.url().parse().unwrap())).await.unwrap();
    Hosts::new(connection, HostRules { failures: 2, ..HostRules::default() })
}

async fn find(hosts: &Hosts, run: &str, found: &Found) -> Turn {
    let Entry::In(place) = hosts.enter(HOST, run, "").await else { panic!("{run} may not go there") };
    place.leave(found, None, "").await
}

async fn is_in(hosts: &Hosts, run: &str, login: &str) -> bool {
    match hosts.enter(HOST, run, login).await {
        Entry::In(place) => place.leave(&Found::Nothing, None, "").await == Turn::None,
        _ => false,
    }
}

#[tokio::test]
async fn what_may_be_one_nodes_own_trouble_keeps_the_others_from_nothing_until_they_meet_it_too() {
    let redis = rig::redis::Redis::start();
    let hosts = hosts(&redis).await;
    let doubted = Found::Doubted("no such name".to_owned());
    assert_eq!(find(&hosts, "a:1:x/1", &doubted).await, Turn::None);
    assert_eq!(find(&hosts, "a:2:x/2", &doubted).await, Turn::Opened);
    assert!(!is_in(&hosts, "a:1:x/3", "").await, "the node itself is spared");
    assert!(is_in(&hosts, "b:1:x/1", "").await);
    find(&hosts, "b:1:x/2", &doubted).await;
    assert!(!is_in(&hosts, "c:1:x/1", "").await, "two nodes met it");
}

#[tokio::test]
async fn what_is_plain_counts_for_all_nodes_and_an_answer_to_any_ends_it() {
    let redis = rig::redis::Redis::start();
    let hosts = hosts(&redis).await;
    let (failed, doubted) = (Found::Failed("refused".to_owned()), Found::Doubted("no such name".to_owned()));
    find(&hosts, "a:1:x/1", &failed).await;
    assert_eq!(find(&hosts, "a:1:x/2", &failed).await, Turn::Opened);
    assert!(!is_in(&hosts, "b:1:x/1", "").await);

    ::redis::cmd("FLUSHALL").exec(&mut redis.connection()).unwrap();
    find(&hosts, "a:1:x/1", &doubted).await;
    find(&hosts, "a:1:x/2", &doubted).await;
    assert_eq!(find(&hosts, "b:1:x/1", &Found::Answered).await, Turn::Closed);
    assert!(is_in(&hosts, "a:1:x/3", "").await);
}

#[tokio::test]
async fn a_login_that_asks_too_often_is_put_off_alone_and_nobody_for_long() {
    let redis = rig::redis::Redis::start();
    let hosts = hosts(&redis).await;
    let Entry::In(place) = hosts.enter(HOST, "a:1:x/1", "one").await else { panic!() };
    place.leave(&Found::Answered, Some(Alone::Login(LONG)), "too often").await;
    let Entry::Held { reason, wait, .. } = hosts.enter(HOST, "b:1:x/1", "one").await else { panic!() };
    assert_eq!(reason, Held::RetryAfter("too often".to_owned()));
    assert!(wait <= HostRules::LONGEST_DELAY, "{wait:?}");
    assert!(is_in(&hosts, "b:1:x/2", "other").await && is_in(&hosts, "b:1:x/3", "").await);

    let Entry::In(place) = hosts.enter(HOST, "a:1:x/2", "other").await else { panic!() };
    place.leave(&Found::Answered, Some(Alone::All(LONG)), "out of service").await;
    for login in ["one", "other", ""] {
        let Entry::Held { wait, .. } = hosts.enter(HOST, "b:1:x/4", login).await else { panic!() };
        assert!(wait <= HostRules::LONGEST_DELAY, "{wait:?}");
    }
}
