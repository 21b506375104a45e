//! How soon a run that is cancelled is over, whatever it is doing, by either engine.
//!
//! The time that counts begins when the run is broken off, which it logs; an order is looked for twice a second.

use std::fmt::Write as _;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use redis::Commands as _;

use crate::children::{below, chain};
use crate::far_side::{FarSide, Script, head};
use crate::packs;
use crate::rig::repository::Repository;
use crate::rig::wait;
use crate::world::World;

/// From the moment in which the run is broken off to the mirror's end.
const AT_ONCE: Duration = Duration::from_secs(1);
/// What an order takes on its way to the run, beside.
const ON_ITS_WAY: Duration = Duration::from_millis(600);
const SOON: Duration = Duration::from_secs(60);

const BOTH: [&str; 2] = ["libgit2", "git"];

/// Orders the end of the first job, and sees it.
fn cancel(world: &World, direction: &str, name: &str) {
    let mut connection = world.redis.connection();
    let () = connection.set("sidemirror:cancel:000000000000000000000001", "1").unwrap();
    let ordered = Instant::now();
    wait::until("the run to be broken off", SOON, || world.worker.log().contains("broken off"));
    let broken_off = Instant::now();
    wait::until("the run to be over", SOON, || {
        connection.keys::<_, Vec<String>>("sidemirror:run:*").unwrap().is_empty()
    });
    let (took, since_order) = (broken_off.elapsed(), ordered.elapsed());
    let left_behind = world.worker.log().contains("left behind");
    println!("{name}: {took:?}, {since_order:?} after the order{}", if left_behind { ", left behind" } else { "" });
    let state = world.state(direction, 1);
    assert_eq!(state.error(), Some("Cancelled by an administrator."), "{name}: {state:?}");
    assert!(took < AT_ONCE, "{name}: {took:?}");
    assert!(since_order < AT_ONCE + ON_ITS_WAY, "{name}: {since_order:?} after the order");
    wait::until("no child", Duration::from_secs(1), || below(world.worker.id(), "exec").is_empty());
    assert!(below(world.worker.id(), "git").is_empty(), "{name}");
    // The thread that worked at it lets go of the repository soon.
    let lock = fs::File::open(world.local(1).path().join("sidemirror/lock")).unwrap();
    let freed = Instant::now();
    wait::until("the repository to be free", SOON, || lock.try_lock().is_ok());
    println!("{name}: the repository is free {:?} later", freed.elapsed());
    let own = fs::read_dir(world.local(1).path().join("sidemirror")).unwrap();
    let left: Vec<_> = own.map(|entry| entry.unwrap().file_name()).filter(|name| name != "lock").collect();
    assert!(left.iter().all(|file| !file.to_string_lossy().starts_with("quarantine-")), "{name}: {left:?}");
}

/// A pull from this far side by this engine, cancelled as soon as `reached`.
fn pull(engine: &str, name: &str, script: Script, reached: impl Fn(&World, &FarSide) -> bool) {
    let world = World::start();
    let far = FarSide::start(0, script);
    world.installation.add_mirror("pull", 1, "group/project-1.git", &far.url("up.git"), &["--engine", engine]);
    world.push_job("pull", 1);
    wait::until(name, SOON, || reached(&world, &far));
    cancel(&world, "pull", &format!("{name}, {engine}"));
}

const LIST: &str = "application/x-git-upload-pack-advertisement";
const PACK: &str = "application/x-git-upload-pack-result";

/// Begins an answer and goes on with `more` as long as somebody listens.
fn answer(
    kind: &'static str,
    begin: Vec<u8>,
    more: impl Fn(&mut TcpStream) -> std::io::Result<()> + Send + Sync + 'static,
) -> Box<dyn Fn(&mut TcpStream) -> std::io::Result<()> + Send + Sync> {
    Box::new(move |stream| {
        head(stream, kind)?;
        stream.write_all(&begin)?;
        loop {
            more(stream)?;
        }
    })
}

fn drip(stream: &mut TcpStream) -> std::io::Result<()> {
    std::thread::sleep(Duration::from_millis(50));
    stream.write_all(b"x")
}

#[test]
fn a_run_that_lists_a_byte_now_and_then_ends_at_once() {
    for engine in BOTH {
        let listing = answer(LIST, b"001e# service=git-upload-pack\n0000fff0".into(), drip);
        let script = Script { listing, ..Script::empty() };
        pull(engine, "listing", script, |_, far| far.asked().len() == 1 && far.at_once() == 1);
    }
}

#[test]
fn a_run_that_receives_a_byte_now_and_then_ends_at_once() {
    for engine in BOTH {
        let begun = Arc::<AtomicBool>::default();
        let sent = begun.clone();
        let begin = b"0008NAK\nPACK\0\0\0\x02\0\0\x01\0\xb0\x80\x80\x04\x78\x01\0\xff\xff\0\0";
        let pack = answer(PACK, begin.into(), move |stream| {
            sent.store(true, Ordering::Release);
            drip(stream)
        });
        let script = Script { pack, ..Script::sending(Vec::new()) };
        pull(engine, "receiving slowly", script, |_, _| begun.load(Ordering::Acquire));
    }
}

#[test]
fn a_run_that_receives_nothing_more_ends_at_once() {
    for engine in BOTH {
        let begun = Arc::<AtomicBool>::default();
        let sent = begun.clone();
        let pack = answer(PACK, b"0008NAK\nPACK\0\0\0\x02\0\0\x01\0".into(), move |stream| {
            sent.store(true, Ordering::Release);
            // Until the other side has gone.
            match stream.read(&mut [0])? {
                0 => Err(std::io::ErrorKind::BrokenPipe.into()),
                _ => Ok(()),
            }
        });
        let script = Script { pack, ..Script::sending(Vec::new()) };
        pull(engine, "receiving nothing", script, |_, _| begun.load(Ordering::Acquire));
    }
}

#[test]
fn a_run_that_receives_as_fast_as_it_can_ends_at_once() {
    for engine in BOTH {
        let count = Arc::<AtomicU64>::default();
        let sent = count.clone();
        let many = packs::header(2, 40_000_000);
        let pack = answer(PACK, [b"0008NAK\n", &many[..]].concat(), move |stream| {
            let first = sent.load(Ordering::Relaxed);
            let objects = (first..first + 1000).flat_map(|number| {
                let content = format!("{number:012}");
                [packs::entry_head(3, content.len() as u64), packs::deflated(content.as_bytes())].concat()
            });
            stream.write_all(&objects.collect::<Vec<u8>>())?;
            sent.fetch_add(1000, Ordering::Relaxed);
            Ok(())
        });
        let script = Script { pack, ..Script::sending(Vec::new()) };
        pull(engine, "receiving fast", script, |_, _| count.load(Ordering::Relaxed) > 30_000);
    }
}

/// Sends this pack, and tells when all of it is on its way.
fn sending(tip: &str, pack: Vec<u8>) -> Script {
    let tip = format!("{tip} refs/heads/main");
    Script {
        listing: Box::new(move |stream| crate::far_side::write_listing(stream, &[tip.clone()])),
        ..Script::sending(pack)
    }
}

#[test]
fn a_run_that_puts_objects_together_ends_at_once() {
    // As much as libgit2 gets to do before the program takes over, and much more.
    for (engine, links) in [("libgit2", 60), ("git", 200)] {
        let script = sending(crate::far_side::TIP, chain(links));
        pull(engine, "indexing", script, |world, far| {
            let asked = far.asked().len() == 1 && far.at_once() == 0;
            // All has been sent; what was in the buffers on the way has come a moment later.
            if asked {
                std::thread::sleep(Duration::from_millis(300));
                assert_eq!(world.state("pull", 1).status(), "started");
            }
            asked
        });
    }
}

/// Commits whose trees have many entries each.
fn broad(commits: u32) -> (String, Vec<u8>) {
    let mut pack = packs::Pack::new();
    let blob = pack.object(packs::Kind::Blob, b"x");
    let name = |number: u32| format!("f{number:06}").into_bytes();
    let entry = |name: &[u8]| [b"100644 ", name, b"\0", &blob.0].concat();
    let base: Vec<u8> = (0..100_000).flat_map(|number| entry(&name(number))).collect();
    let mut before = pack.place();
    pack.object(packs::Kind::Tree, &base);
    let (mut content, mut parents) = (base, Vec::new());
    for commit in 0..commits {
        let place = pack.place();
        let added = entry(format!("g{commit:06}").as_bytes());
        let size = content.len() as u64;
        let mut instructions = packs::copy(u32::try_from(size).unwrap());
        instructions.push(u8::try_from(added.len()).unwrap());
        instructions.extend(&added);
        pack.delta_back(place - before, &packs::delta(size, size + added.len() as u64, &instructions));
        before = place;
        content.extend(added);
        parents = vec![pack.commit(packs::Id::of(packs::Kind::Tree, &content), &parents)];
    }
    (parents[0].to_string(), pack.finish())
}

#[test]
fn a_run_that_looks_whether_all_is_there_ends_at_once() {
    let (tip, pack) = broad(60);
    for engine in BOTH {
        pull(engine, "looking whether all is there", sending(&tip, pack.clone()), |world, _| match engine {
            "git" => !below(world.worker.id(), "rev-list").is_empty(),
            _ => has_index(world),
        });
    }
}

/// Whether a pack has come whole, and is not kept yet.
fn has_index(world: &World) -> bool {
    let own = fs::read_dir(world.local(1).path().join("sidemirror")).into_iter().flatten().flatten();
    let mut packs = own.flat_map(|folder| fs::read_dir(folder.path().join("objects/pack")).into_iter().flatten());
    packs.any(|file| file.is_ok_and(|file| file.path().extension().is_some_and(|kind| kind == "idx")))
}

/// A megabyte of text that begins anew in every file, so that each pair of files has to be compared.
fn files(count: usize) -> String {
    let mut text = String::new();
    for file in 0..count {
        let mut content = String::new();
        for line in 0..20_000_usize {
            let _ = writeln!(content, "{}", (line * 7919 + file * (line % 13)).wrapping_mul(2_654_435_761) % 1_000_003);
        }
        let _ = write!(text, "blob\nmark :{}\ndata {}\n{content}\n", file + 1, content.len());
    }
    text += "commit refs/heads/main\ncommitter R <r@example.org> 1700000000 +0000\ndata 1\nx\n";
    for file in 0..count {
        let _ = writeln!(text, "M 100644 :{} file{file}.txt", file + 1);
    }
    text
}

/// Git takes over from a pack what was compared there already.
fn make_loose(repository: &Repository) {
    let packs = fs::read_dir(repository.path().join("objects/pack")).unwrap().map(|file| file.unwrap().path());
    for pack in packs.collect::<Vec<_>>() {
        let away = repository.path().join(pack.file_name().unwrap());
        fs::rename(&pack, &away).unwrap();
        if away.extension().is_some_and(|kind| kind == "pack") {
            let mut command = Command::new("/usr/bin/git");
            command.args(["unpack-objects", "-q"]).current_dir(repository.path()).stdin(fs::File::open(away).unwrap());
            assert!(command.status().unwrap().success());
        }
    }
}

#[test]
fn a_push_that_builds_its_pack_ends_at_once() {
    for engine in BOTH {
        let world = World::start();
        let local = world.create_local(1);
        local.import(&files(300));
        make_loose(&local);
        world.git.create("far.git");
        world.add_push(1, "far.git", &["--engine", engine]);
        world.push_job("push", 1);
        // The list has come, and nothing is sent as long as the pack is built.
        wait::until("the pack to be begun", SOON, || match engine {
            "git" => !below(world.worker.id(), "pack-objects").is_empty(),
            _ => !world.git.requests("far.git").is_empty(),
        });
        std::thread::sleep(Duration::from_millis(700));
        cancel(&world, "push", &format!("packing, {engine}"));
        let far = world.git.repository_path("far.git");
        assert_eq!(fs::read_dir(far.join("objects/pack")).unwrap().count(), 0);
    }
}

#[test]
fn a_push_that_waits_for_a_hook_of_the_far_side_ends_at_once() {
    for engine in BOTH {
        let world = World::start();
        world.create_local(1).commit("main", "one");
        let far = world.git.create("far.git");
        let (begun, done) = (far.path().join("begun"), far.path().join("done"));
        let hook = far.path().join("hooks/pre-receive");
        fs::create_dir_all(hook.parent().unwrap()).unwrap();
        fs::write(&hook, "#!/bin/sh\ntouch begun\nfor i in $(seq 600); do test -e done && exit 1; sleep 0.1; done\n")
            .unwrap();
        fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).unwrap();
        world.add_push(1, "far.git", &["--engine", engine]);
        world.push_job("push", 1);
        wait::until("the hook", SOON, || begun.exists());
        cancel(&world, "push", &format!("waiting for a hook, {engine}"));
        fs::write(done, "").unwrap();
    }
}

#[test]
fn a_worker_that_stops_gives_its_runs_up_within_a_second_of_their_time() {
    let mut world = World::with(|settings| settings.set("timeout", 1));
    let (script, open) = crate::children::held();
    let far = FarSide::start(0, script);
    let computing = FarSide::start(0, sending(crate::far_side::TIP, chain(60)));
    for (id, engine) in (1..).zip(BOTH) {
        let path = format!("group/project-{id}.git");
        world.installation.add_mirror("pull", id, &path, &far.url("up.git"), &["--engine", engine]);
        world.push_job("pull", id);
    }
    world.installation.add_mirror("pull", 3, "group/project-3.git", &computing.url("up.git"), &["--engine", "libgit2"]);
    world.push_job("pull", 3);
    wait::until("all to be at it", SOON, || {
        far.at_once() == 2 && computing.asked().len() == 1 && computing.at_once() == 0
    });
    let asked = Instant::now();
    assert!(world.worker.terminate().success());
    let took = asked.elapsed();
    println!("a stop with a timeout of 1 s: {took:?}");
    assert!(took < Duration::from_secs(4), "{took:?}");
    let waiting: u64 = world.redis.connection().llen("queue:mirrors").unwrap();
    assert_eq!(waiting, 3, "the jobs are back in their queue");
    open.store(true, Ordering::Release);
}
