//! TLS to Redis: what works, and what each way in which it cannot work says.

use crate::rig::certificates::Ca;
use crate::rig::redis::Redis;
use crate::server::Server;
use crate::work::{self, complaint, installation};

fn server(ca: &Ca, certificate: &str, clients: &str) -> Server {
    let lines = ca.server_lines(certificate, clients);
    let lines: Vec<&str> = lines.iter().map(String::as_str).chain(["unixsocket FOLDER/socket"]).collect();
    Server::with_url(&lines, &[], "unix://FOLDER/socket")
}

fn url(server: &Server) -> String {
    format!("rediss://localhost:{}/0", server.port)
}

#[test]
fn a_worker_serves_a_redis_with_tls_a_private_ca_and_client_certificates() {
    let ca = Ca::new();
    ca.sign("server", "DNS:localhost", 30);
    ca.sign("client", "DNS:client", 30);
    let server = server(&ca, "server", "yes");
    let installation = installation(&url(&server), &ca.client_keys(Some("client")));
    let worker = installation.start_worker();
    work::assert_works(&mut server.connection(), &worker);
}

#[test]
fn each_way_in_which_tls_cannot_work_says_what_is_wrong() {
    let (ca, stranger) = (Ca::new(), Ca::new());
    ca.sign("server", "DNS:localhost", 30);
    ca.sign("elsewhere", "DNS:redis.example", 30);
    ca.sign("expired", "DNS:localhost", -1);
    stranger.sign("client", "DNS:client", 30);
    let plain = Redis::start();
    let keys = ca.client_keys(None);
    let (open, closed) = (server(&ca, "server", "no"), server(&ca, "server", "yes"));
    let (elsewhere, expired) = (server(&ca, "elsewhere", "no"), server(&ca, "expired", "no"));
    let strange_identity = stranger
        .client_keys(Some("client"))
        .replace(stranger.path("ca.crt").to_str().unwrap(), ca.path("ca.crt").to_str().unwrap());
    let cases = [
        ("another CA", url(&open), stranger.client_keys(None), "of no CA that is trusted here"),
        ("the system's CAs", url(&open), String::new(), "of no CA that is trusted here"),
        ("another name", url(&elsewhere), keys.clone(), "for another name than the one in the URL"),
        ("expired", url(&expired), keys.clone(), "has expired"),
        ("no TLS there", format!("rediss://localhost:{}/0", plain.port()), keys.clone(), "if it does not speak TLS"),
        ("no certificate", url(&closed), keys.clone(), "asks for a client certificate"),
        ("a strange certificate", url(&closed), strange_identity, "does not accept our client certificate"),
        ("no TLS here", format!("redis://localhost:{}/0", open.port), String::new(), "rediss://"),
    ];
    for (case, url, keys, said) in cases {
        let told = complaint(&installation(&url, &keys));
        assert!(told.contains(said) && told.contains("cannot connect to Redis at localhost:"), "{case}: {told}");
    }
    // The right CA is all that was missing.
    installation(&url(&open), &keys).cli_ok(&["mirror", "list"]);
}
