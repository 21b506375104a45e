//! Packs that are small on the way and would be large here.

use std::fs;
use std::io::{Read as _, Write as _};

use flate2::Compression;
use flate2::write::ZlibEncoder;
use sha2::{Digest as _, Sha256};

use crate::far_side::{FarSide, Script, Speech, head};
use crate::world::World;

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

/// The program has a process of its own, whose memory is limited.
const LIBRARY: &[&str] = &["--engine", "libgit2"];

/// A pack of these entries; its checksum is wrong, which nobody gets as far as to see.
fn pack(objects: u32, entries: &[Vec<u8>]) -> Vec<u8> {
    let mut pack = b"PACK\0\0\0\x02".to_vec();
    pack.extend(objects.to_be_bytes());
    pack.extend(entries.concat());
    pack.extend(&Sha256::digest(b"")[..20]);
    pack
}

/// The head of an entry: 3 is a blob, 6 a delta upon what lies before it.
fn entry(kind: u8, size: u64) -> Vec<u8> {
    let (mut head, mut rest) = (vec![(kind << 4) | (size & 15) as u8], size >> 4);
    while rest > 0 {
        *head.last_mut().unwrap() |= 0x80;
        head.push((rest & 0x7f) as u8);
        rest >>= 7;
    }
    head
}

fn deflated(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zeros(count: u64) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    std::io::copy(&mut std::io::repeat(0).take(count), &mut encoder).unwrap();
    encoder.finish().unwrap()
}

fn number(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value > 0x7f {
        bytes.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

/// A delta upon `base` bytes, `back` before it, that copies the whole of them so many times.
fn delta(back: u64, base: u64, times: u64) -> Vec<u8> {
    let mut text = [number(base), number(base * times)].concat();
    // Copy from 0, with the three bytes of the size.
    for _ in 0..times {
        text.push(0b1111_0000);
        text.extend(&base.to_le_bytes()[..3]);
    }
    let (mut offset, mut rest) = (vec![(back & 0x7f) as u8], back >> 7);
    while rest > 0 {
        rest -= 1;
        offset.insert(0, (rest & 0x7f) as u8 | 0x80);
        rest >>= 7;
    }
    [entry(6, text.len() as u64), offset, deflated(&text)].concat()
}

/// A whole blob of zeros.
fn blob(announced: u64, size: u64) -> Vec<u8> {
    [entry(3, announced), zeros(size)].concat()
}

/// The most memory a process has had, in bytes.
fn peak(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

/// Bombs by name, and what the mirror's owner reads.
fn bombs() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let base = 16 * MIB - 1;
    let bottom = blob(base, base);
    let once = delta(bottom.len() as u64, base, 300);
    let mut chain = vec![blob(base, base)];
    for _ in 0..200 {
        let back = chain.last().unwrap().len() as u64;
        chain.push(delta(back, base, 1));
    }
    vec![
        ("a blob of 6 GiB", pack(1, &[blob(6 * GIB, 8 * MIB)]), "an object of 6.0GiB"),
        ("a blob of 1 GiB", pack(1, &[blob(GIB, 8 * MIB)]), "1.0GiB of memory"),
        ("more than it announces", pack(1, &[blob(100, 256 * MIB)]), "not of the size it announces"),
        ("a delta that makes 5 GiB", pack(2, &[bottom, once]), "an object of 4.7GiB"),
        ("a chain that is copied for long", pack(201, &chain), "objects that take 2.0GiB of memory"),
        ("more objects than anybody has", pack(u32::MAX, &[]), "a pack of 4294967295 objects"),
        ("a delta upon nothing", pack(1, &[delta(1 << 40, 10, 1)]), "a delta without a base"),
        ("an unknown kind", pack(1, &[entry(5, 1)]), "an unknown kind"),
    ]
}

/// Every bomb, from far sides that speak like this.
fn throw(speech: Speech) {
    let world = World::start();
    let before = peak(world.worker.id());
    for (id, (name, pack, text)) in (1..).zip(bombs()) {
        let (scheme, script) = match speech {
            Speech::Http => ("http", Script::sending(pack)),
            Speech::Git => ("git", Script::sending_plainly(pack)),
        };
        let far = FarSide::speaking(speech, 0, script);
        let url = format!("{scheme}://127.0.0.1:{}/up.git", far.port());
        let (number, path) = (id.to_string(), format!("group/project-{id}.git"));
        let add = ["mirror", "add", "pull", "--id", &number, "--repository", &path, "--url", &url];
        world.installation.cli_ok(&[&add[..], LIBRARY].concat());
        let error = world.fail("pull", id);
        assert!(error.contains(text), "{name}: {error}");
        let own = fs::read_dir(world.local(id).path().join("sidemirror")).unwrap();
        let left: Vec<_> = own.map(|entry| entry.unwrap().file_name()).filter(|name| name != "lock").collect();
        assert!(left.is_empty(), "{name}: {left:?}");
    }
    let grown = peak(world.worker.id()) - before;
    assert!(grown < 64 * MIB, "{grown} bytes");
}

#[test]
fn a_pack_bomb_is_refused_before_it_takes_memory() {
    throw(Speech::Http);
}

#[test]
fn a_pack_bomb_over_a_connection_that_lasts_is_refused_as_well() {
    throw(Speech::Git);
}

#[test]
fn an_endless_list_of_refs_ends_at_its_limit_and_takes_bounded_memory() {
    let world = World::start();
    let before = peak(world.worker.id());
    let script = Script {
        listing: Box::new(|stream| {
            head(stream, "application/x-git-upload-pack-advertisement")?;
            stream.write_all(b"001e# service=git-upload-pack\n0000")?;
            let mut number = 0_u64;
            loop {
                let line: String = (0..1000).fold(String::new(), |text, _| {
                    number += 1;
                    format!("{text}0048{number:040x} refs/heads/{number:015}\n")
                });
                stream.write_all(line.as_bytes())?;
            }
        }),
        ..Script::empty()
    };
    let far = FarSide::start(0, script);
    world.installation.add_mirror("pull", 1, "group/project-1.git", &far.url("up.git"), &[]);
    let error = world.fail("pull", 1);
    assert!(error.starts_with("The remote lists at least 500001 refs, and at most 500000 are accepted"), "{error}");
    let grown = peak(world.worker.id()) - before;
    println!("an endless list of refs took {} MiB", grown / MIB);
    assert!(grown < 400 * MIB, "{grown} bytes");
}
