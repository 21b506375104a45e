//! A worker killed in the middle of a transfer, with the repository's lock in its hand.

use std::fs;
use std::path::Path;

use crate::jobs;
use crate::rig::wait;
use crate::world::{WORK, World, local_path, run_keys};

/// What the upstream holds, and how much of it comes through before the gate closes.
const HISTORY: usize = 2_000_000;
const RECEIVED: usize = 500_000;

pub(crate) fn what_a_worker_killed_in_a_transfer_left_is_cleared_away_by_the_next_run() {
    let world = World::new(1);
    let mut redis = world.connection();
    world.upstream.commit("main", &noise(HISTORY));
    world.gate.close_gate_after(RECEIVED);
    jobs::push(&mut redis, &world.jobs());
    let mut killed = world.installation.start_worker();
    wait::until("half of the objects to have come", WORK, || world.gate.gate_is_closed());
    let ours = world.installation.repository(&local_path(1)).path().join("sidemirror");
    wait::until("them to be in a quarantine", WORK, || !quarantines(&ours).is_empty());
    killed.kill();
    assert_eq!(quarantines(&ours).len(), 1);
    let lock = fs::read_to_string(ours.join("lock")).unwrap();
    assert!(lock.contains(&format!(r#""pid":{}"#, killed.id())), "the lock names its holder: {lock}");

    world.gate.open_gate();
    let _next = world.installation.start_worker();
    // As a rescuer would, without the wait for the dead worker's heartbeat to end.
    wait::until("the dead worker's ownership to end", WORK, || run_keys(&mut redis).is_empty());
    let list: Vec<String> = redis::cmd("KEYS").arg("working:*").query(&mut redis).unwrap();
    redis::cmd("RPOPLPUSH").arg(&list[0]).arg("queue:mirrors").exec(&mut redis).unwrap();
    world.wait_until_done(WORK);
    world.assert_all_is_well();
    assert_eq!(quarantines(&ours), Vec::<String>::new());
}

fn quarantines(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().file_name());
    names.filter_map(|name| name.into_string().ok()).filter(|name| name.starts_with("quarantine-")).collect()
}

/// Letters that do not compress well.
fn noise(length: usize) -> String {
    let mut state = 1_u64;
    let letters = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        char::from(b'!' + u8::try_from((state >> 33) % 94).unwrap())
    });
    letters.take(length).collect()
}
