//! What a mirror brings along for its far side: its settings and its opened secrets, in the words of `net`.

use secrecy::SecretString;

use crate::mirror::reach::{self, AuthMethod, Reach};
use crate::mirror::record::Settings;
use crate::net::{Access, Credentials, HttpAccess, Redirects, RemoteUrl, Scheme, SshAccess};
use crate::store::{Login, Secrets};

/// All that a run, or a check, of a mirror with these settings may use at its `url`. Over SSH either the password or
/// the key is among it, as the mirror's `auth_method` says, and never both: a server must not be tried with what it was
/// not given.
pub fn access(settings: &Settings, url: &RemoteUrl, secrets: Secrets) -> Access {
    let reach = &settings.reach;
    let with_key = reach.auth_method == AuthMethod::SshPublicKey;
    let over_ssh = url.scheme() == Scheme::Ssh;
    let credentials = secrets.login.map(|login| {
        let password = if over_ssh && with_key { SecretString::default() } else { login.password };
        Credentials::new(login.user, password)
    });
    Access {
        credentials,
        ssh: SshAccess {
            known_hosts: reach.known_hosts.clone(),
            private_key: secrets.ssh_key.filter(|_| with_key),
            passphrase: secrets.ssh_passphrase.filter(|_| with_key),
        },
        http: HttpAccess {
            bearer: secrets.bearer,
            headers: secrets.headers,
            proxy: reach.proxy.clone(),
            proxy_credentials: secrets.proxy_login.map(|Login { user, password }| Credentials::new(user, password)),
            ca: reach.ca.clone(),
            certificate_fingerprint: reach.certificate_fingerprint.clone(),
            client_certificate: reach.client_certificate.clone().zip(secrets.client_key),
            redirects: redirects(reach),
        },
    }
}

fn redirects(reach: &Reach) -> Option<Redirects> {
    reach.redirects.map(|redirects| match redirects {
        reach::Redirects::Refuse => Redirects::Refuse,
        reach::Redirects::SameOrigin => Redirects::SameOrigin,
        reach::Redirects::Follow => Redirects::Follow,
    })
}
