//! A mirror as it is shown. The field names are those of GitLab's REST API where it has the field; they are
//! documented and do not change.

use std::collections::BTreeMap;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde::{Serialize, Serializer};

use super::super::administration::Administration;
use super::super::output;
use crate::mirror::branches::BranchFilter;
use crate::mirror::engine::EngineName;
use crate::mirror::key::Direction;
use crate::mirror::reach::{AuthMethod, EngineChoice, Redirects};
use crate::mirror::record::{Mirror, OnDivergence, Rules};
use crate::store::SecretName;

/// A moment as GitLab's API writes it: `2026-11-22T15:56:09.261Z`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Time(pub(super) DateTime<Utc>);

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0.to_rfc3339_opts(SecondsFormat::Millis, true))
    }
}

/// A mirror in the words of GitLab's API.
#[derive(Debug, Serialize)]
pub(super) struct View {
    pub(super) direction: Direction,
    pub(super) id: u64,
    pub(super) enabled: bool,
    pub(super) repository: String,
    pub(super) url: String,
    pub(super) credentials: Vec<String>,
    pub(super) auth_method: AuthMethod,
    pub(super) proxy: Option<String>,
    pub(super) redirects: Option<Redirects>,
    pub(super) certificate_fingerprint: Option<String>,
    pub(super) engine: EngineChoice,
    pub(super) update_status: &'static str,
    pub(super) last_error: Option<String>,
    pub(super) last_update_at: Option<Time>,
    pub(super) last_update_scheduled_at: Option<Time>,
    pub(super) last_update_started_at: Option<Time>,
    pub(super) last_successful_update_at: Option<Time>,
    pub(super) last_changed_at: Option<Time>,
    pub(super) last_refs_changed: Option<u64>,
    pub(super) last_engine: Option<&'static str>,
    pub(super) last_duration_seconds: Option<f64>,
    pub(super) retry_count: u32,
    pub(super) hard_failed: bool,
    pub(super) next_execution_timestamp: Option<Time>,
    pub(super) only_protected_branches: bool,
    pub(super) protected_branches: Vec<String>,
    pub(super) mirror_branch_regex: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) mirror_overwrites_diverged_branches: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) keep_divergent_refs: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) on_divergence: Option<&'static str>,
    pub(super) limits: BTreeMap<&'static str, String>,
}

impl View {
    /// The mirror, with the names of the secrets that are stored for it.
    pub(super) async fn load(administration: &Administration, mirror: &Mirror) -> anyhow::Result<Self> {
        Ok(Self::load_all(administration, std::slice::from_ref(mirror)).await?.remove(0))
    }

    /// The same for many.
    pub(super) async fn load_all(administration: &Administration, mirrors: &[Mirror]) -> anyhow::Result<Vec<Self>> {
        let keys: Vec<_> = mirrors.iter().map(Mirror::key).collect();
        let stored = administration.store.stored(&keys).await?;
        Ok(mirrors.iter().zip(stored).map(|(mirror, stored)| Self::of(mirror, &stored)).collect())
    }

    fn of(mirror: &Mirror, stored: &[SecretName]) -> Self {
        let (settings, state) = (&mirror.settings, &mirror.state);
        let (overwrites, on_divergence) = match settings.rules {
            Rules::Pull { overwrite_diverged } => (Some(overwrite_diverged), None),
            Rules::Push { on_divergence } => (None, Some(on_divergence)),
        };
        let (protected, regex) = match &settings.branches {
            BranchFilter::All => (None, None),
            BranchFilter::Protected(patterns) => (Some(patterns.clone()), None),
            BranchFilter::Regex(regex) => (None, Some(regex.as_str().to_owned())),
        };
        Self {
            direction: settings.direction(),
            id: mirror.id.0,
            enabled: settings.enabled,
            repository: settings.repository.clone(),
            url: settings.url.clone(),
            credentials: stored.iter().map(ToString::to_string).collect(),
            auth_method: settings.reach.auth_method,
            proxy: settings.reach.proxy.clone(),
            redirects: settings.reach.redirects,
            certificate_fingerprint: settings.reach.certificate_fingerprint.clone(),
            engine: settings.engine,
            update_status: state.status.as_str(),
            last_error: state.last_error.clone(),
            last_update_at: state.last_update_at.map(Time),
            last_update_scheduled_at: state.last_update_scheduled_at.map(Time),
            last_update_started_at: state.last_update_started_at.map(Time),
            last_successful_update_at: state.last_successful_update_at.map(Time),
            last_changed_at: state.last_changed_at.map(Time),
            last_refs_changed: state.last_refs_changed,
            last_engine: state.last_engine.map(EngineName::as_str),
            last_duration_seconds: state.last_duration().map(TimeDelta::as_seconds_f64),
            retry_count: state.retry_count,
            hard_failed: state.is_hard_failed(),
            next_execution_timestamp: state.due_at().filter(|_| settings.enabled).map(Time),
            only_protected_branches: protected.is_some(),
            protected_branches: protected.unwrap_or_default(),
            mirror_branch_regex: regex,
            mirror_overwrites_diverged_branches: overwrites,
            keep_divergent_refs: on_divergence.map(|mode| mode == OnDivergence::Keep),
            on_divergence: on_divergence.map(OnDivergence::as_str),
            limits: settings.limits.named().map(|(limit, value)| (limit.key(), limit.format(value))).collect(),
        }
    }

    pub(super) fn name(&self) -> String {
        format!("{} {}", self.direction, self.id)
    }

    /// Which secrets there are, in words.
    pub(super) fn credentials(&self) -> String {
        let word = |name: &String| match name.as_str() {
            "login" => "user and password".to_owned(),
            "bearer" => "bearer token".to_owned(),
            "client_key" => "client certificate".to_owned(),
            "proxy_login" => "user and password for the proxy".to_owned(),
            "ssh_key" => "ssh key".to_owned(),
            "ssh_passphrase" => "passphrase of the ssh key".to_owned(),
            header => header.replacen("header:", "header ", 1),
        };
        if self.credentials.is_empty() {
            return "none".to_owned();
        }
        self.credentials.iter().map(word).collect::<Vec<_>>().join(", ")
    }

    pub(super) fn status(&self) -> &'static str {
        if !self.enabled {
            "disabled"
        } else if self.hard_failed && self.update_status == "failed" {
            "hard failed"
        } else {
            self.update_status
        }
    }

    pub(super) fn duration(&self) -> String {
        self.last_duration_seconds.map_or_else(|| "-".to_owned(), |seconds| format!("{seconds:.1} s"))
    }

    pub(super) fn next_update(&self) -> String {
        match (self.direction, self.update_status) {
            (_, "scheduled" | "started") => "now".to_owned(),
            _ if !self.enabled => "-".to_owned(),
            (Direction::Push, _) => "on push".to_owned(),
            (Direction::Pull, _) => relative(self.next_execution_timestamp),
        }
    }

    pub(super) fn branches(&self) -> String {
        match &self.mirror_branch_regex {
            Some(regex) => format!("those matching {regex}"),
            None if self.only_protected_branches => format!("protected: {}", self.protected_branches.join(", ")),
            None => "all".to_owned(),
        }
    }

    /// Its own limits, as they are given with `--limit`.
    pub(super) fn own_limits(&self) -> String {
        let own: Vec<String> = self.limits.iter().map(|(name, value)| format!("{name}={value}")).collect();
        if own.is_empty() { "those of the worker".to_owned() } else { own.join(", ") }
    }

    pub(super) fn divergence(&self) -> String {
        match (self.on_divergence, self.mirror_overwrites_diverged_branches) {
            (Some(mode), _) => mode.to_owned(),
            (None, Some(true)) => "overwrite".to_owned(),
            (None, _) => "leave alone".to_owned(),
        }
    }
}

/// How long ago, or how soon, a moment is.
pub(super) fn relative(time: Option<Time>) -> String {
    output::relative(time.map(|time| time.0))
}
