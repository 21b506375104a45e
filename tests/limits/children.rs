//! What `git` children may take, seen from outside.

use std::fs;
use std::io::Write as _;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::far_side::{FarSide, Script, write_listing};
use crate::packs;
use crate::rig::wait;
use crate::world::World;

const PROGRAM: &[&str] = &["--engine", "git"];
const SOON: Duration = Duration::from_mins(1);
const MIB: usize = 1 << 20;

/// A server that lists nothing, once it is let.
pub(crate) fn held() -> (Script, Arc<AtomicBool>) {
    let open = Arc::<AtomicBool>::default();
    let gate = open.clone();
    let listing = move |stream: &mut TcpStream| {
        while !gate.load(Ordering::Acquire) {
            thread::sleep(Duration::from_millis(5));
        }
        write_listing(stream, &[])
    };
    (Script { listing: Box::new(listing), ..Script::empty() }, open)
}

/// The processes below this one whose command line has this word.
pub(crate) fn below(process: u32, word: &str) -> Vec<u32> {
    let mut found = Vec::new();
    for thread in fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten() {
        let children = fs::read_to_string(thread.path().join("children")).unwrap_or_default();
        for child in children.split_whitespace().filter_map(|child| child.parse().ok()) {
            let line = fs::read(format!("/proc/{child}/cmdline")).unwrap_or_default();
            if String::from_utf8_lossy(&line).split('\0').any(|argument| argument == word) {
                found.push(child);
            }
            found.extend(below(child, word));
        }
    }
    found
}

fn assert_nothing_is_left(world: &World, id: u64) {
    let local = world.local(id);
    assert_eq!(local.refs().len(), 0);
    assert_eq!(local.git(&["count-objects"]), "0 objects, 0 kilobytes");
    assert_eq!(fs::read_dir(local.path().join("objects/pack")).unwrap().count(), 0);
    let own = fs::read_dir(local.path().join("sidemirror")).unwrap();
    let left: Vec<_> = own.map(|entry| entry.unwrap().file_name()).filter(|name| name != "lock").collect();
    assert!(left.is_empty(), "{left:?}");
    assert!(below(world.worker.id(), "git").is_empty());
}

#[test]
fn no_more_children_than_are_allowed_work_at_once_and_the_others_wait_for_their_turn() {
    let world = World::with(|settings| settings.mirror("limits", "{children: 2}"));
    let (script, open) = held();
    let far = FarSide::start(0, script);
    for id in 1..=5 {
        let (url, path) = (far.url("up.git"), format!("group/project-{id}.git"));
        world.installation.add_mirror("pull", id, &path, &url, PROGRAM);
        world.push_job("pull", id);
    }
    wait::until("two children", SOON, || far.at_once() == 2);
    wait::until("all runs to have begun", SOON, || (1..=5).all(|id| world.state("pull", id).status() == "started"));
    assert_eq!(below(world.worker.id(), "ls-remote").len(), 2);
    assert_eq!(far.most_at_once(), 2);
    open.store(true, Ordering::Release);
    world.wait_for_jobs();
    for id in 1..=5 {
        assert_eq!(world.state("pull", id).error(), None);
    }
    assert_eq!(far.most_at_once(), 2);
}

#[test]
fn a_child_that_wants_more_memory_than_it_may_have_ends_and_its_owner_reads_of_the_limit() {
    let world = World::start();
    let upstream = world.git.create("up.git");
    let size = 200 * MIB;
    // Git looks at files piece by piece, and at commits as a whole.
    let stream = format!(
        "commit refs/heads/main\ncommitter R <r@example.org> 1700000000 +0000\ndata {size}\n{}\n",
        "0".repeat(size)
    );
    upstream.import(&stream);
    world.add_pull(1, "up.git", &["--engine", "git", "--limit", "child_memory=160MiB"]);
    let error = world.fail("pull", 1);
    assert_eq!(
        error,
        "Git needs more memory than the 160.0MiB that it may have (the limit child_memory); it can be raised for this \
         mirror (--limit child_memory=…) or for all (mirror.limits)."
    );
    assert_eq!(world.worker.metric("sidemirror_limit_exceeded_total{limit=\"child_memory\"}"), Some(1.0));
    assert_nothing_is_left(&world, 1);

    world.update("pull", 1, &["--limit", "child_memory=default"]);
    world.succeed("pull", 1);
    assert_eq!(world.local(1).mirrored_refs(), upstream.mirrored_refs());
}

/// A pack of one blob of almost 16 MiB and so many others, each of which is made from the one before.
pub(crate) fn chain(links: usize) -> Vec<u8> {
    let size = 16 * MIB - 1;
    let mut pack = packs::Pack::new();
    let mut before = pack.place();
    pack.object(packs::Kind::Blob, &vec![0; size]);
    for link in 0..links {
        let place = pack.place();
        let (size, end) = (size as u64 + link as u64, u32::try_from(link).unwrap());
        // All of it but what was added last, which a copy of its own brings, and one byte more.
        let mut instructions = packs::copy((1 << 24) - 1);
        if end > 0 {
            instructions.extend([0b1001_0111, 0xff, 0xff, 0xff, (end & 0xff) as u8]);
        }
        instructions.extend([1, b'x']);
        pack.delta_back(place - before, &packs::delta(size, size + 1, &instructions));
        before = place;
    }
    pack.finish()
}

#[test]
fn a_child_that_takes_more_processor_time_than_it_may_ends_and_its_owner_reads_of_the_limit() {
    let world = World::start();
    let far = FarSide::start(0, Script::sending(chain(200)));
    let options = [PROGRAM, &["--limit", "child_cpu=1s"]].concat();
    world.installation.add_mirror("pull", 1, "group/project-1.git", &far.url("up.git"), &options);
    let error = world.fail("pull", 1);
    assert_eq!(
        error,
        "Git needs more processor time than the 1s that it may have (the limit child_cpu); it can be raised for this \
         mirror (--limit child_cpu=…) or for all (mirror.limits)."
    );
    assert_eq!(world.worker.metric("sidemirror_limit_exceeded_total{limit=\"child_cpu\"}"), Some(1.0));
    assert_nothing_is_left(&world, 1);
}

#[test]
fn what_the_far_side_says_of_its_own_memory_is_not_taken_for_ours() {
    let world = World::start();
    let script = Script {
        pack: Box::new(|stream| {
            crate::far_side::head(stream, "application/x-git-upload-pack-result")?;
            stream.write_all(b"0008NAK\n001d\x02fatal: Out of memory\n0000")
        }),
        listing: Box::new(|stream| {
            crate::far_side::write_capable(stream, &format!("{} refs/heads/main", crate::far_side::TIP))
        }),
    };
    let far = FarSide::start(0, script);
    world.installation.add_mirror("pull", 1, "group/project-1.git", &far.url("up.git"), PROGRAM);
    let error = world.fail("pull", 1);
    assert!(!error.contains("child_memory"), "{error}");
}

/// The soft and the hard limit of this name.
fn limit(process: u32, name: &str) -> Vec<String> {
    let limits = fs::read_to_string(format!("/proc/{process}/limits")).unwrap();
    let line = limits.lines().find_map(|line| line.strip_prefix(name)).unwrap().to_owned();
    line.split_whitespace().take(2).map(str::to_owned).collect()
}

#[test]
fn a_child_stands_back_and_is_limited_as_it_is_configured() {
    let world = World::with(|settings| {
        settings.mirror("limits", "{child_nice: 7, child_memory: 1GiB, child_cpu: 90s, growth: 5MiB}")
    });
    let (script, open) = held();
    let far = FarSide::start(0, script);
    world.installation.add_mirror("pull", 1, "group/project-1.git", &far.url("up.git"), PROGRAM);
    world.push_job("pull", 1);
    wait::until("the far side to be asked", SOON, || far.at_once() == 1);
    let child = *below(world.worker.id(), "ls-remote").first().expect("a child");
    let stat = fs::read_to_string(format!("/proc/{child}/stat")).unwrap();
    // The name of the program may have blanks; what follows it is counted from the third field on.
    let (_, fields) = stat.rsplit_once(") ").unwrap();
    assert_eq!(fields.split(' ').nth(16), Some("7"), "{stat}");
    assert_eq!(limit(child, "Max address space"), ["1073741824", "1073741824"]);
    assert_eq!(limit(child, "Max cpu time"), ["95", "100"]);
    assert_eq!(limit(child, "Max core file size"), ["0", "0"]);
    open.store(true, Ordering::Release);
    world.wait_for_jobs();
}
