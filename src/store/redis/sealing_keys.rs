//! The key in use, and those that were in use before it.

use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

use super::super::{Change, Login, SecretName, Secrets, SecretsChange};
use super::seal::{SealError, Sealed, SealingKey};
use crate::mirror::record::Mirror;

/// Seals with the current key, and opens what that or an earlier one sealed.
#[derive(Debug, Clone)]
pub struct SealingKeys {
    current: SealingKey,
    previous: Vec<SealingKey>,
}

/// What becomes of a field of a mirror's record.
#[derive(Debug)]
pub(super) struct FieldChange {
    /// One that ends in `*` stands for all that begin like it, and can only be taken out.
    pub(super) field: String,
    /// What it must be for the change to be made; empty: whatever it is.
    pub(super) seen: String,
    /// The sealed text that it becomes; none takes it out.
    pub(super) sealed: String,
}

impl FieldChange {
    pub(super) const fn taken_out(field: String) -> Self {
        Self { field, seen: String::new(), sealed: String::new() }
    }

    pub(super) const fn set(field: String, sealed: String) -> Self {
        Self { field, seen: String::new(), sealed }
    }

    pub(super) const fn replaced(field: String, seen: String, sealed: String) -> Self {
        Self { field, seen, sealed }
    }

    /// Whether it is this field that changes.
    pub(super) fn is_of(&self, field: &str) -> bool {
        self.field.strip_suffix('*').map_or(self.field == field, |beginning| field.starts_with(beginning))
    }
}

impl SealingKeys {
    /// `current` seals; `previous` only open.
    pub fn new(current: SealingKey, previous: Vec<SealingKey>) -> Self {
        Self { current, previous }
    }

    /// The id of the key that seals.
    pub fn current_id(&self) -> &str {
        self.current.id()
    }

    /// Stands for `text`, as [`SealingKey::mark`] says.
    pub(super) fn mark(&self, text: &[u8]) -> String {
        self.current.mark(text)
    }

    /// The ids of all keys that open, the current one first.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.keys().map(SealingKey::id)
    }

    fn keys(&self) -> impl Iterator<Item = &SealingKey> {
        std::iter::once(&self.current).chain(&self.previous)
    }

    /// Whether this is as the current key would seal it today.
    pub(super) fn is_up_to_date(&self, sealed: &str) -> bool {
        Sealed::parse(sealed).is_ok_and(|sealed| sealed.is_current() && sealed.key_id == self.current_id())
    }

    /// The same secret of the mirror as it was, sealed by the current key for the mirror as it is now.
    pub(super) fn reseal(
        &self,
        was: &Mirror,
        is: &Mirror,
        name: &SecretName,
        sealed: &str,
    ) -> Result<String, SealError> {
        let plain = self.open(was, name, sealed)?;
        if Sealed::parse(sealed)?.is_current() {
            self.current.seal(is, name, &plain)
        } else {
            self.current.seal(is, name, &login_bytes(&v1_login(&plain)?))
        }
    }

    fn open(&self, mirror: &Mirror, name: &SecretName, sealed: &str) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let sealed = Sealed::parse(sealed)?;
        let key = self.keys().find(|key| key.id() == sealed.key_id).ok_or_else(|| SealError::OtherKey {
            sealed_with: sealed.key_id.to_owned(),
            configured: self.ids().collect::<Vec<_>>().join(", "),
        })?;
        key.open(mirror, name, &sealed)
    }

    /// Opens one secret and puts it among the others.
    pub(super) fn open_into(
        &self,
        secrets: &mut Secrets,
        mirror: &Mirror,
        name: SecretName,
        sealed: &str,
    ) -> Result<(), SealError> {
        let plain = self.open(mirror, &name, sealed)?;
        match name {
            SecretName::Login if !Sealed::parse(sealed)?.is_current() => secrets.login = Some(v1_login(&plain)?),
            SecretName::Login => secrets.login = Some(login(&plain)?),
            SecretName::Bearer => secrets.bearer = Some(text(&plain)?),
            SecretName::Header(header) => secrets.headers.push((header, text(&plain)?)),
            SecretName::SshKey => secrets.ssh_key = Some(text(&plain)?),
            SecretName::SshPassphrase => secrets.ssh_passphrase = Some(text(&plain)?),
            SecretName::ClientKey => secrets.client_key = Some(text(&plain)?),
            SecretName::ProxyLogin => secrets.proxy_login = Some(login(&plain)?),
        }
        Ok(())
    }

    /// What a change does to the fields of a mirror's record.
    pub(super) fn seal_change(&self, mirror: &Mirror, change: &SecretsChange) -> Result<Vec<FieldChange>, SealError> {
        let plain = |secret: &SecretString| Zeroizing::new(secret.expose_secret().as_bytes().to_vec());
        let mut fields = Vec::new();
        if change.clear_headers {
            fields.push(FieldChange::taken_out("header:*".to_owned()));
        }
        let mut add = |name: SecretName, change: Change<Zeroizing<Vec<u8>>>| -> Result<(), SealError> {
            match change {
                Change::Keep => {}
                Change::Clear => fields.push(FieldChange::taken_out(name.to_string())),
                Change::Set(plain) => {
                    fields.push(FieldChange::set(name.to_string(), self.current.seal(mirror, &name, &plain)?));
                }
            }
            Ok(())
        };
        add(SecretName::Login, change.login.map(login_bytes))?;
        add(SecretName::Bearer, change.bearer.map(plain))?;
        for (name, value) in &change.headers {
            add(SecretName::Header(name.clone()), value.map(plain))?;
        }
        add(SecretName::SshKey, change.ssh_key.map(plain))?;
        add(SecretName::SshPassphrase, change.ssh_passphrase.map(plain))?;
        add(SecretName::ClientKey, change.client_key.map(plain))?;
        add(SecretName::ProxyLogin, change.proxy_login.map(login_bytes))?;
        Ok(fields)
    }
}

/// The user's length in four bytes, the user, the password.
fn login_bytes(login: &Login) -> Zeroizing<Vec<u8>> {
    let (user, password) = (login.user.expose_secret(), login.password.expose_secret());
    let length = u32::try_from(user.len()).unwrap_or(u32::MAX).to_be_bytes();
    Zeroizing::new([&length, user.as_bytes(), password.as_bytes()].concat())
}

fn login(plain: &[u8]) -> Result<Login, SealError> {
    let (length, rest) = plain.split_first_chunk().ok_or(SealError::Damaged)?;
    let length = usize::try_from(u32::from_be_bytes(*length)).map_err(|_| SealError::Damaged)?;
    let (user, password) = rest.split_at_checked(length).ok_or(SealError::Damaged)?;
    Ok(Login { user: text(user)?, password: text(password)? })
}

/// A login as version 1 wrote it, a list of two texts in JSON.
fn v1_login(plain: &[u8]) -> Result<Login, SealError> {
    let (user, password): (String, String) = serde_json::from_slice(plain).map_err(|_| SealError::Damaged)?;
    let (user, password) = (Zeroizing::new(user), Zeroizing::new(password));
    Ok(Login { user: user.as_str().into(), password: password.as_str().into() })
}

fn text(plain: &[u8]) -> Result<SecretString, SealError> {
    std::str::from_utf8(plain).map(SecretString::from).map_err(|_| SealError::Damaged)
}

impl<T> Change<T> {
    fn map<U>(&self, set: impl FnOnce(&T) -> U) -> Change<U> {
        match self {
            Self::Keep => Change::Keep,
            Self::Clear => Change::Clear,
            Self::Set(value) => Change::Set(set(value)),
        }
    }
}
