//! "Unchanged" must never be wrong.

use std::time::{Duration, SystemTime};

use sidemirror::git::{Digest, Probe, Repository, Stamp};
use sidemirror::mirror::refs::{RefChange, RefName};

use crate::world::World;

/// A stamp that is old enough to be trusted.
fn settled(repository: &Repository) -> Stamp {
    let old = SystemTime::now() - Duration::from_mins(1);
    for name in ["HEAD", "packed-refs", "refs", "refs/heads", "refs/heads/a", "refs/tags"] {
        if let Ok(file) = std::fs::File::open(repository.path().join(name)) {
            file.set_modified(old).unwrap();
        }
    }
    Stamp::take(repository).unwrap()
}

#[test]
fn each_of_the_four_conditions_counts() {
    let world = World::new();
    let ours = world.ours("p.git");
    let id = world.commit(ours.path(), "a/b", "one");
    let probe = Probe::new(&ours, "pull").unwrap();
    let (far, rules, other) = (Digest::of_bytes(b"far"), Digest::of_bytes(b"rules"), Digest::of_bytes(b"other"));
    let stamp = settled(&ours);
    assert!(!probe.unchanged(&far, &rules, &stamp), "no run has applied everything yet");
    probe.remember(&far, &rules, &stamp).unwrap();
    assert!(probe.unchanged(&far, &rules, &Stamp::take(&ours).unwrap()));
    assert!(!probe.unchanged(&other, &rules, &stamp), "the far side changed");
    assert!(!probe.unchanged(&far, &other, &stamp), "the rules changed");

    let moves: [&dyn Fn(); 5] = [
        &|| {
            world.commit(ours.path(), "a/b", "two");
        },
        &|| drop(world.git(ours.path(), &["pack-refs", "--all"])),
        &|| drop(world.git(ours.path(), &["update-ref", "-d", "refs/heads/a/b"])),
        &|| ours.set_head(&RefName::branch("else")).unwrap(),
        &|| drop(ours.apply(&[RefChange::create(RefName::tag("t"), id)]).unwrap()),
    ];
    for (number, change) in moves.iter().enumerate() {
        probe.remember(&far, &rules, &settled(&ours)).unwrap();
        assert!(probe.unchanged(&far, &rules, &Stamp::take(&ours).unwrap()), "before move {number}");
        change();
        assert!(!probe.unchanged(&far, &rules, &Stamp::take(&ours).unwrap()), "after move {number}");
    }
}

#[test]
fn a_stamp_that_is_too_fresh_is_not_remembered() {
    let world = World::new();
    let ours = world.ours("p.git");
    let probe = Probe::new(&ours, "pull").unwrap();
    let digest = Digest::of_bytes(b"same");
    let folder = std::fs::File::open(ours.path().join("refs/heads")).unwrap();
    folder.set_modified(SystemTime::now()).unwrap();
    let stamp = Stamp::take(&ours).unwrap();
    probe.remember(&digest, &digest, &stamp).unwrap();
    assert!(!probe.unchanged(&digest, &digest, &stamp));
}

#[test]
fn a_broken_record_means_changed() {
    let world = World::new();
    let ours = world.ours("p.git");
    let (probe, digest) = (Probe::new(&ours, "pull").unwrap(), Digest::of_bytes(b"same"));
    let stamp = settled(&ours);
    probe.remember(&digest, &digest, &stamp).unwrap();
    assert!(probe.unchanged(&digest, &digest, &stamp));
    std::fs::write(ours.path().join("sidemirror/pull.json"), "{\"far\":").unwrap();
    assert!(!probe.unchanged(&digest, &digest, &stamp));
    probe.forget().unwrap();
    assert!(!probe.unchanged(&digest, &digest, &stamp));
}
