//! A mirror as text, and the names of the keys it lives under.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::super::{SecretName, StoreError};
use crate::mirror::key::{Direction, MirrorId, MirrorKey};
use crate::mirror::record::{Mirror, Settings};
use crate::mirror::state::RunState;

/// A mirror and the exact text it was read from, which a compare-and-swap compares.
#[derive(Debug, Clone)]
pub(super) struct Record {
    pub(super) text: Vec<u8>,
    pub(super) mirror: Mirror,
}

#[derive(Serialize, Deserialize)]
struct Stored<S, R> {
    settings: S,
    state: R,
}

pub(super) fn read(key: MirrorKey, text: Vec<u8>) -> Result<Record, StoreError> {
    let stored: Stored<Settings, RunState> =
        serde_json::from_slice(&text).map_err(|error| StoreError::Unreadable { key, problem: error.to_string() })?;
    if stored.settings.direction() != key.direction {
        return Err(StoreError::Unreadable { key, problem: "its rules are of the other direction".to_owned() });
    }
    Ok(Record { text, mirror: Mirror { id: key.id, settings: stored.settings, state: stored.state } })
}

fn write(mirror: &Mirror) -> Value {
    let stored = Stored { settings: &mirror.settings, state: &mirror.state };
    // Maps with text keys and plain values: there is nothing in it that JSON cannot hold.
    serde_json::to_value(&stored).unwrap_or_default()
}

/// Puts among `after` what there is in `found` and not in `understood`: it is a newer version's.
fn keep_unknown(found: Value, understood: &Value, after: &mut Value) {
    let (Value::Object(found), Value::Object(understood), Value::Object(after)) = (found, understood, after) else {
        return;
    };
    for (name, value) in found {
        match (understood.get(&name), after.get_mut(&name)) {
            (Some(understood), Some(after)) => keep_unknown(value, understood, after),
            (None, None) => drop(after.insert(name, value)),
            // Taken out, or new.
            _ => {}
        }
    }
}

impl Record {
    /// The text that takes this one's place.
    pub(super) fn replaced_by(&self, mirror: &Mirror) -> String {
        let mut after = write(mirror);
        if let Ok(found) = serde_json::from_slice(&self.text) {
            keep_unknown(found, &write(&self.mirror), &mut after);
        }
        after.to_string()
    }

    /// The set this record stands in.
    pub(super) fn status_set(&self, direction: Direction) -> String {
        Keys::status(direction, &self.mirror.state)
    }
}

/// The mirror that a member of an index names.
pub(super) fn member_id(member: &[u8]) -> Option<MirrorId> {
    std::str::from_utf8(member).ok()?.parse().ok()
}

/// The secrets among the fields of a record, by name.
pub(super) fn secret_names(fields: &[Vec<u8>]) -> Vec<SecretName> {
    let mut names: Vec<_> =
        fields.iter().filter_map(|field| SecretName::parse(std::str::from_utf8(field).ok()?)).collect();
    names.sort_unstable();
    names
}

/// When a mirror is due, in milliseconds, or nothing if it is not to be scheduled.
pub(super) fn due_score(mirror: &Mirror) -> String {
    let due_at = mirror.state.due_at().filter(|_| mirror.settings.enabled);
    due_at.map(|due_at| due_at.timestamp_millis().to_string()).unwrap_or_default()
}

/// The names of the keys.
pub(super) struct Keys;

impl Keys {
    pub(super) const STATUSES: [&'static str; 6] =
        ["none", "scheduled", "started", "finished", "failed", "hard_failed"];

    pub(super) fn record(key: MirrorKey) -> String {
        format!("sidemirror:{}:{}", key.direction, key.id)
    }

    pub(super) fn all(direction: Direction) -> String {
        format!("sidemirror:{direction}")
    }

    pub(super) fn due(direction: Direction) -> String {
        format!("sidemirror:{direction}:due")
    }

    pub(super) fn status(direction: Direction, state: &RunState) -> String {
        let hard = state.is_hard_failed() && !state.status.is_under_way();
        Self::status_named(direction, if hard { "hard_failed" } else { state.status.as_str() })
    }

    pub(super) fn status_named(direction: Direction, status: &str) -> String {
        format!("sidemirror:{direction}:status:{status}")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_a_newer_version_wrote_is_kept_and_what_is_taken_out_stays_out() {
        let key = MirrorKey::pull(MirrorId(7));
        let settings = Settings::new(Direction::Pull, "g/p.git".to_owned(), "https://git.example.com/a.git".to_owned());
        let mut text = write(&Mirror { id: key.id, settings, state: RunState::default() });
        text["colour"] = json!("red");
        text["settings"]["depth"] = json!({ "at_most": 3 });
        text["settings"]["reach"]["proxy"] = json!("http://proxy.example.com:1");
        text["settings"]["reach"]["address_family"] = json!(6);
        text["state"]["mood"] = json!([1.5]);
        let record = read(key, text.to_string().into_bytes()).unwrap();

        let mut mirror = record.mirror.clone();
        mirror.settings.reach.proxy = None;
        mirror.state.retry_count = 2;
        let after: Value = serde_json::from_str(&record.replaced_by(&mirror)).unwrap();
        text["settings"]["reach"].as_object_mut().unwrap().remove("proxy");
        text["state"]["retry_count"] = json!(2);
        assert_eq!(after, text);
    }
}
