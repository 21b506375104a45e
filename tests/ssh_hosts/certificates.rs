//! Servers that prove themselves by a certificate of an authority.

use std::fs;

use sidemirror::mirror::refs::Advertisement;

use crate::rig::sshd::me;
use crate::rig::sshd::{Sshd, keygen, our_key, public_key};
use crate::world::{World, engines, with_key};

struct Scene {
    world: World,
    sshd: Sshd,
    private: String,
    authority: String,
}

impl Scene {
    /// A server whose Ed25519 key was certified with these arguments of `ssh-keygen -s`.
    fn new(arguments: &[&str]) -> Self {
        let world = World::new();
        let authority = world.path("authority");
        keygen(&["-q", "-t", "ed25519", "-N", "", "-f", authority.to_str().unwrap()]);
        let sshd = Sshd::start(world.folder.path(), &["ed25519"], &["HostCertificate {folder}/host_ed25519-cert.pub"]);
        let (key, host) = (authority.to_str().unwrap(), sshd.file("host_ed25519.pub"));
        keygen(&[&["-q", "-s", key, "-I", "host"], arguments, &[host.to_str().unwrap()]].concat());
        // It reads its certificate when it starts.
        let sshd = sshd.restarted();
        let (private, public) = our_key(world.folder.path(), &["-t", "ed25519", "-N", ""]);
        sshd.authorise(&public);
        world.far("far.git");
        let authority = public_key(&authority.with_extension("pub"));
        Self { world, sshd, private, authority }
    }

    #[track_caller]
    fn list(&self, known_hosts: &str) -> Result<Advertisement, String> {
        let url = format!("ssh://127.0.0.1:{}{}", self.sshd.port, self.world.path("far.git").display());
        self.world.list(&url, &with_key(&me(), &self.private, known_hosts))
    }

    fn trusting_the_authority(&self) -> String {
        format!("@cert-authority *,[*]:* {}", self.authority)
    }

    #[track_caller]
    fn refusal(&self, known_hosts: &str) -> String {
        self.list(known_hosts).expect_err("it was let in")
    }
}

const HOST: &[&str] = &["-h", "-n", "git.example.org,127.0.0.1"];

#[test]
fn a_certificate_of_a_trusted_authority_is_enough() {
    let scene = Scene::new(HOST);
    scene.list(&scene.trusting_the_authority()).unwrap();
    assert_eq!(scene.sshd.connections(), engines().len());
}

#[test]
fn an_authority_is_no_host_key_and_a_host_key_no_authority() {
    let scene = Scene::new(HOST);
    let authority = scene.trusting_the_authority();
    assert!(scene.refusal(authority.strip_prefix("@cert-authority ").unwrap()).contains("has changed"));
    let said = scene.refusal(&format!("@cert-authority * {}", scene.sshd.public("ed25519")));
    assert!(said.contains("was not signed by an authority that is trusted"), "{said}");
}

#[test]
fn a_certificate_that_does_not_hold_is_refused_and_the_reason_told() {
    for (arguments, reason) in [
        (&["-h", "-n", "git.example.org"][..], "it is not for 127.0.0.1"),
        (&["-n", "127.0.0.1"], "it is not one for hosts"),
        (&["-h", "-n", "127.0.0.1", "-V", "20200101:20200201"], "it has expired"),
        (&["-h", "-n", "127.0.0.1", "-V", "20990101:20990201"], "it is not valid yet"),
    ] {
        let scene = Scene::new(arguments);
        let said = scene.refusal(&scene.trusting_the_authority());
        assert!(said.ends_with(&format!("is not accepted: {reason}.")), "{arguments:?}: {said}");
        // The key in it is still a key like any other.
        let both = format!("{}\n{}", scene.trusting_the_authority(), scene.sshd.known("ed25519"));
        scene.list(&both).unwrap();
    }
}

#[test]
fn a_revoked_authority_or_a_revoked_key_in_a_certificate_is_refused() {
    let scene = Scene::new(HOST);
    let trusting = scene.trusting_the_authority();
    for revoked in [&scene.authority, &scene.sshd.public("ed25519")] {
        let said = scene.refusal(&format!("{trusting}\n@revoked * {revoked}"));
        assert!(said.contains("is marked as revoked"), "{said}");
    }
}

#[test]
fn a_server_without_a_certificate_is_told_from_one_that_changed() {
    let scene = Scene::new(HOST);
    fs::remove_file(scene.sshd.file("host_ed25519-cert.pub")).unwrap();
    let scene = Scene { sshd: scene.sshd.restarted(), ..scene };
    let said = scene.refusal(&scene.trusting_the_authority());
    assert!(said.contains("it has no certificate of a trusted authority"), "{said}");
}
