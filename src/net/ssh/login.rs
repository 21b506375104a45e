//! Says who we are: with the mirror's key, else with its password, else not at all.

use russh::client::{AuthResult, KeyboardInteractiveAuthResponse, Prompt};
use russh::keys::{HashAlg, PrivateKeyWithHashAlg};
use russh::{MethodKind, MethodSet};
use secrecy::{ExposeSecret, SecretString};

use super::handshake::{Connection, explained};
use super::{SshError, SshKey};
use crate::net::{Credentials, NetError, Session};

/// Whom git servers expect where nobody is named.
const USUAL_USER: &str = "git";

/// Methods that a server may want one after the other (a key and then a password, say).
const MOST_STEPS: usize = 4;

/// Rounds of questions; servers need one, and perhaps a second one that asks nothing.
const MOST_ROUNDS: usize = 5;

/// The longest question that is repeated to the mirror's owner.
const LONGEST_PROMPT: usize = 80;

/// As whom the session logs in.
pub(super) fn user(session: &Session) -> &str {
    let given = session.access().credentials.as_ref().map(Credentials::user).filter(|user| !user.is_empty());
    given.or(session.url().user()).unwrap_or(USUAL_USER)
}

/// Logs in.
pub(super) async fn login(session: &Session, connection: &mut Connection) -> Result<(), NetError> {
    let key = match &session.access().ssh.private_key {
        Some(text) => Some(SshKey::read(text, session.access().ssh.passphrase.as_ref())?),
        None => None,
    };
    let password = session.access().credentials.as_ref().map(Credentials::password);
    let password = password.filter(|password| !password.expose_secret().is_empty());
    Login { session, connection, key, password }.run().await
}

struct Login<'a> {
    session: &'a Session,
    connection: &'a mut Connection,
    key: Option<SshKey>,
    password: Option<&'a SecretString>,
}

/// What a server thinks of an attempt.
enum Answer {
    Welcome,
    /// Not yet: it wants one of these, too.
    More(MethodSet),
    /// No; these it would take.
    No(MethodSet),
}

impl Login<'_> {
    /// Each method is tried once. A password is not sent to a server that has not said that it takes one: it would count
    /// as a wrong one there. One that was refused is not sent again by another method, for the same reason.
    async fn run(&mut self) -> Result<(), NetError> {
        let mut untried = match (&self.key, &self.password) {
            (Some(_), Some(_)) => vec![MethodKind::PublicKey, MethodKind::Password, MethodKind::KeyboardInteractive],
            (Some(_), None) => vec![MethodKind::PublicKey],
            (None, Some(_)) => vec![MethodKind::Password, MethodKind::KeyboardInteractive],
            (None, None) => Vec::new(),
        };
        // A key is tried unasked, which saves a round trip.
        let mut method = if self.key.is_some() { untried.remove(0) } else { MethodKind::None };
        for _ in 0..MOST_STEPS {
            let (offered, accepted) = match self.attempt(method).await? {
                Answer::Welcome => return Ok(()),
                Answer::More(offered) => (offered, true),
                Answer::No(offered) => (offered, false),
            };
            if matches!(method, MethodKind::PublicKey | MethodKind::Password) && !accepted {
                return Err(self.refused(method).into());
            }
            match untried.iter().position(|kind| offered.contains(kind)) {
                Some(place) => method = untried.remove(place),
                None if accepted || method == MethodKind::None => return Err(self.mismatch(&offered).into()),
                None => return Err(self.refused(method).into()),
            }
        }
        Err(self.refused(method).into())
    }

    async fn attempt(&mut self, method: MethodKind) -> Result<Answer, NetError> {
        match (method, &self.key, self.password) {
            (MethodKind::PublicKey, Some(_), _) => self.with_key().await,
            (MethodKind::Password, _, Some(password)) => {
                let (user, password) = (user(self.session), password.expose_secret());
                let answer = self.connection.handle.authenticate_password(user, password).await;
                self.heard(answer)
            }
            (MethodKind::KeyboardInteractive, _, Some(password)) => self.with_answers(password).await,
            _ => {
                let answer = self.connection.handle.authenticate_none(user(self.session)).await;
                self.heard(answer)
            }
        }
    }

    /// RSA keys sign with SHA-2 only.
    async fn with_key(&mut self) -> Result<Answer, NetError> {
        let Some(key) = self.key.as_ref().map(SshKey::private) else { return Ok(Answer::No(MethodSet::empty())) };
        let hashes: &[_] = if key.algorithm().is_rsa() {
            match self.connection.handle.best_supported_rsa_hash().await {
                Ok(Some(Some(hash))) => &[Some(hash)],
                Ok(Some(None)) => return Err(SshError::Key("the server takes RSA keys with SHA-1 only").into()),
                // It does not say.
                Ok(None) => &[Some(HashAlg::Sha512), Some(HashAlg::Sha256)],
                Err(error) => return Err(explained(self.session, &error, &self.connection.farewell)),
            }
        } else {
            &[None]
        };
        let mut last = Answer::No(MethodSet::empty());
        for hash in hashes {
            let key = PrivateKeyWithHashAlg::new(key.clone(), *hash);
            let answer = self.connection.handle.authenticate_publickey(user(self.session), key).await;
            last = self.heard(answer)?;
            if !matches!(last, Answer::No(_)) {
                break;
            }
        }
        Ok(last)
    }

    /// Answers the question for a password, and no other.
    async fn with_answers(&mut self, password: &SecretString) -> Result<Answer, NetError> {
        let mut answered = false;
        let user = user(self.session);
        let mut heard = self.connection.handle.authenticate_keyboard_interactive_start(user, None).await;
        for _ in 0..MOST_ROUNDS {
            let prompts = match heard {
                Ok(KeyboardInteractiveAuthResponse::Success) => return Ok(Answer::Welcome),
                Ok(KeyboardInteractiveAuthResponse::Failure { remaining_methods, partial_success }) => {
                    return Ok(if partial_success {
                        Answer::More(remaining_methods)
                    } else {
                        Answer::No(remaining_methods)
                    });
                }
                Ok(KeyboardInteractiveAuthResponse::InfoRequest { prompts, .. }) => prompts,
                Err(error) => return Err(explained(self.session, &error, &self.connection.farewell)),
            };
            let answers = match prompts.as_slice() {
                [] => Vec::new(),
                [prompt] if asks_for_password(prompt) && !answered => {
                    answered = true;
                    vec![password.expose_secret().to_owned()]
                }
                // The same question again: it was the wrong password.
                [prompt] if asks_for_password(prompt) => return Ok(Answer::No(MethodSet::empty())),
                [prompt, ..] => return Err(self.questions(prompt).into()),
            };
            heard = self.connection.handle.authenticate_keyboard_interactive_respond(answers).await;
        }
        Ok(Answer::No(MethodSet::empty()))
    }

    fn heard(&self, answer: Result<AuthResult, russh::Error>) -> Result<Answer, NetError> {
        match answer {
            Ok(AuthResult::Success) => Ok(Answer::Welcome),
            Ok(AuthResult::Failure { remaining_methods, partial_success: true }) => Ok(Answer::More(remaining_methods)),
            Ok(AuthResult::Failure { remaining_methods, .. }) => Ok(Answer::No(remaining_methods)),
            Err(error) => Err(explained(self.session, &error, &self.connection.farewell)),
        }
    }

    fn refused(&self, method: MethodKind) -> SshError {
        let (authority, user) = (self.session.url().authority(), user(self.session).to_owned());
        let remote = self.connection.farewell.remote(self.session);
        match &self.key {
            Some(key) if method == MethodKind::PublicKey => {
                SshError::KeyRefused { authority, user, fingerprint: key.fingerprint().to_string(), remote }
            }
            _ => SshError::PasswordRefused { authority, user, remote },
        }
    }

    fn mismatch(&self, offered: &MethodSet) -> SshError {
        let ours = match (&self.key, &self.password) {
            (Some(_), Some(_)) => "a key and a password",
            (Some(_), None) => "only a key",
            (None, Some(_)) => "only a password",
            (None, None) => "neither a key nor a password",
        };
        let offered: Vec<&str> = offered.iter().map(<&str>::from).collect();
        let offered = if offered.is_empty() { "methods that it does not name".to_owned() } else { offered.join(", ") };
        SshError::LoginMismatch {
            authority: self.session.url().authority(),
            user: user(self.session).to_owned(),
            offered,
            ours,
        }
    }

    fn questions(&self, prompt: &Prompt) -> SshError {
        SshError::Questions {
            authority: self.session.url().authority(),
            user: user(self.session).to_owned(),
            prompt: self.session.shown(prompt.prompt.trim(), LONGEST_PROMPT),
        }
    }
}

/// A hidden answer to something with a password in it, in the languages that write it so.
fn asks_for_password(prompt: &Prompt) -> bool {
    let text = prompt.prompt.to_lowercase();
    !prompt.echo && (text.contains("passw") || text.contains("mot de passe"))
}
