//! A mirror as text, and the names of the keys it lives under.

use serde::{Deserialize, Serialize};

use super::super::StoreError;
use crate::mirror::key::{Direction, MirrorKey};
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

pub(super) fn write(mirror: &Mirror) -> String {
    let stored = Stored { settings: &mirror.settings, state: &mirror.state };
    // Maps with text keys and plain values: there is nothing in it that JSON cannot hold.
    serde_json::to_string(&stored).unwrap_or_default()
}

impl Record {
    /// The set this record stands in.
    pub(super) fn status_set(&self, direction: Direction) -> String {
        Keys::status(direction, &self.mirror.state)
    }
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
