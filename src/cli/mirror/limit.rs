//! `--limit NAME=VALUE`: a mirror's own limits.

use std::str::FromStr;

use crate::mirror::limits::{Limit, Limits};

/// One limit as it was given.
#[derive(Debug, Clone, Copy)]
pub(super) struct LimitArg {
    limit: Limit,
    /// `None` gives the worker's back its say.
    value: Option<u64>,
}

impl FromStr for LimitArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, value) = text.split_once('=').ok_or("expected NAME=VALUE, such as received=2GiB")?;
        let limit: Limit = name.parse()?;
        let value = match value {
            "default" => None,
            value => Some(limit.parse(value).map_err(|accepted| format!("expected {accepted}, or `default`"))?),
        };
        Ok(Self { limit, value })
    }
}

impl LimitArg {
    pub(super) fn apply(self, limits: &mut Limits) {
        match self.value {
            Some(value) => limits.set(self.limit, value),
            None => limits.unset(self.limit),
        }
    }
}
