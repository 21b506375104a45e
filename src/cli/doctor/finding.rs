//! What the doctor finds.

use serde::Serialize;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Severity {
    /// As it should be.
    Ok,
    /// Worth knowing.
    Info,
    /// It works, but not well or not for long.
    Warning,
    /// It does not work, or something can get lost.
    Error,
}

impl Severity {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// One thing that was looked at. No text of it holds a secret or a job's arguments.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    /// What was looked at; the same word in every version, for programs.
    pub(super) subject: &'static str,
    pub(super) severity: Severity,
    /// How it is.
    pub(super) seen: String,
    /// How it should be, if it is otherwise.
    pub(super) expected: Option<String>,
    /// What to do about it.
    pub(super) cure: Option<String>,
}

impl Finding {
    pub(super) fn ok(subject: &'static str, seen: impl Into<String>) -> Self {
        Self { subject, severity: Severity::Ok, seen: seen.into(), expected: None, cure: None }
    }

    pub(super) fn info(subject: &'static str, seen: impl Into<String>) -> Self {
        Self { severity: Severity::Info, ..Self::ok(subject, seen) }
    }

    pub(super) fn warning(
        subject: &'static str,
        seen: impl Into<String>,
        expected: impl Into<String>,
        cure: impl Into<String>,
    ) -> Self {
        let (expected, cure) = (Some(expected.into()), Some(cure.into()));
        Self { subject, severity: Severity::Warning, seen: seen.into(), expected, cure }
    }

    pub(super) fn error(
        subject: &'static str,
        seen: impl Into<String>,
        expected: impl Into<String>,
        cure: impl Into<String>,
    ) -> Self {
        Self { severity: Severity::Error, ..Self::warning(subject, seen, expected, cure) }
    }
}
