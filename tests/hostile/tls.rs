//! TLS that ends too early, or proves the wrong thing.

use std::io;
use std::net::Shutdown;
use std::sync::Arc;

use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::case::{Case, Way, pull, push};
use crate::http::head;
use crate::rig::certificates::Ca;
use crate::server::{Behaviour, Visit, behaviour};
use crate::wire::preface;

const INSECURE: &str = r"Could not connect securely to AT: .+";
const BROKE: &str = r"(The connection to AT broke|Could not connect (securely )?to AT): .+";
const SILENT: &str =
    r"Could not connect to AT within 2s\.|The server AT accepted the connection but sent nothing for 2s\.";

/// The beginning of a server's first words.
const HELLO: &[u8] = &[0x16, 3, 3, 0, 90, 2, 0, 0, 86, 3, 3];

/// `ca` signs what has to be signed, and has to live as long as the cases.
pub(crate) fn cases(ca: &Ca) -> Vec<Case> {
    let path = ca.path("ca.crt").display().to_string();
    let trusting = |case: Case| case.with(&["--ca-file", &path]);
    ca.sign("good", "IP:127.0.0.1", 30);
    ca.sign_expired("expired", "IP:127.0.0.1");
    ca.sign("other", "DNS:other.example.org", 30);
    let cases = vec![
        pull("a_certificate_of_an_unknown_authority", speaking(ca, "good", served), INSECURE),
        push("a_certificate_of_an_unknown_authority_for_a_push", speaking(ca, "good", served), INSECURE),
        trusting(pull("an_expired_certificate", speaking(ca, "expired", served), INSECURE)),
        trusting(pull("a_certificate_of_another_host", speaking(ca, "other", served), INSECURE)),
        trusting(pull("a_cut_in_the_list", speaking(ca, "good", served), BROKE)),
        trusting(pull("silence_in_the_list", speaking(ca, "good", stopping), SILENT)).stalling(),
        pull("silence_before_the_handshake", behaviour(Visit::hold), SILENT).stalling(),
        pull(
            "a_cut_in_the_handshake",
            behaviour(|visit| {
                visit.bytes(5)?;
                visit.send(HELLO)
            }),
            BROKE,
        ),
        pull(
            "silence_in_the_handshake",
            behaviour(|visit| {
                visit.bytes(5)?;
                visit.send(HELLO)?;
                visit.hold()
            }),
            SILENT,
        )
        .stalling(),
        pull(
            "one_byte_a_second_in_the_handshake",
            behaviour(|visit| {
                visit.bytes(5)?;
                visit.drip(&[0x16, 3, 3, 0x3f])
            }),
            SILENT,
        )
        .stalling(),
        pull(
            "noise_in_the_handshake",
            behaviour(|visit| {
                visit.bytes(5)?;
                visit.flood(&[0x17; 64 * 1024])
            }),
            BROKE,
        ),
        pull("another_protocol", behaviour(|visit| visit.send("HTTP/1.1 400 Bad Request\r\n\r\n")), BROKE),
        pull(
            "an_alert_at_once",
            behaviour(|visit| {
                visit.bytes(5)?;
                visit.send([0x15, 3, 3, 0, 2, 2, 40])
            }),
            INSECURE,
        ),
    ];
    cases.into_iter().map(|case| case.over(Way::Https)).collect()
}

/// Speaks TLS with this certificate, and does this over it.
fn speaking(ca: &Ca, name: &str, act: impl Fn(&mut Visit) -> io::Result<()> + Send + Sync + 'static) -> Behaviour {
    let chain = vec![CertificateDer::from_pem_file(ca.path(&format!("{name}.crt"))).unwrap()];
    let key = PrivateKeyDer::from_pem_file(ca.path(&format!("{name}.key"))).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = Arc::new(builder.with_no_client_auth().with_single_cert(chain, key).unwrap());
    behaviour(move |visit| {
        let connection = ServerConnection::new(config.clone()).map_err(io::Error::other)?;
        visit.speak_over(StreamOwned::new(connection, visit.socket()?));
        act(visit)
    })
}

/// Half a list, and then the end without a goodbye.
fn served(visit: &mut Visit) -> io::Result<()> {
    begin(visit)?;
    visit.socket()?.shutdown(Shutdown::Both)
}

/// Half a list, and then nothing.
fn stopping(visit: &mut Visit) -> io::Result<()> {
    begin(visit)?;
    visit.hold()
}

fn begin(visit: &mut Visit) -> io::Result<()> {
    visit.request()?;
    visit.send(head("application/x-git-upload-pack-advertisement"))?;
    visit.send(&preface("git-upload-pack")[..20])
}
