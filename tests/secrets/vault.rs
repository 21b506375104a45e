//! An installation whose keys and secrets are looked at from outside.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Output;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use redis::Commands as _;
use serde_json::Value;

use crate::rig::installation::Installation;
use crate::rig::redis::Redis;

/// A key of the test's own, in base64.
pub(crate) fn key(byte: u8) -> String {
    BASE64_STANDARD.encode([byte; 32])
}

/// Writes a file in the installation's folder that only its owner may read, and returns its path.
pub(crate) fn file(installation: &Installation, name: &str, content: &str) -> PathBuf {
    let path = installation.folder().join(name);
    fs::write(&path, content).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    path
}

/// What `secrets status --json` says.
pub(crate) fn status(installation: &Installation) -> Value {
    serde_json::from_str(&installation.cli_ok(&["secrets", "status", "--json"])).unwrap()
}

/// The id of the key that is configured.
pub(crate) fn key_id(installation: &Installation) -> String {
    status(installation)["key"].as_str().unwrap().to_owned()
}

/// How many secrets are sealed with the key of this id.
pub(crate) fn sealed_with(installation: &Installation, id: &str) -> u64 {
    status(installation)["secrets"][id].as_u64().unwrap_or_default()
}

/// The fields of a mirror's record, but for the record itself.
pub(crate) fn sealed(redis: &Redis, mirror: &str) -> BTreeMap<String, String> {
    let mut fields: BTreeMap<String, String> = redis.connection().hgetall(format!("sidemirror:{mirror}")).unwrap();
    fields.remove("record");
    fields
}

/// What a command that must fail says.
#[track_caller]
pub(crate) fn refusal(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    String::from_utf8(output.stderr.clone()).unwrap()
}
