//! Which branches take part in a mirror.

use std::str::FromStr;

use regex::Regex;
use serde::{Deserialize, Serialize};

/// A choice of branches. Tags are never filtered.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BranchFilter {
    /// Every branch.
    #[default]
    All,
    /// The protected ones: each pattern is a name in which `*` stands for any characters, `/` among them.
    Protected(Vec<String>),
    /// Those in whose name the expression is found (not anchored, as GitLab's RE2 search).
    Regex(BranchRegex),
}

/// A branch expression that is known to be a valid one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct BranchRegex(String);

impl BranchRegex {
    /// GitLab's column takes no more characters.
    pub const LONGEST: usize = 255;

    /// The expression's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Why a branch expression was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadBranchRegex {
    /// Longer than [`BranchRegex::LONGEST`].
    #[error("The branch expression has {0} characters; at most {max} are accepted.", max = BranchRegex::LONGEST)]
    TooLong(usize),
    /// Not an expression in RE2 syntax.
    #[error("The branch expression is not valid: {0}.")]
    Syntax(String),
}

impl TryFrom<String> for BranchRegex {
    type Error = BadBranchRegex;

    fn try_from(text: String) -> Result<Self, BadBranchRegex> {
        let characters = text.chars().count();
        if characters > Self::LONGEST {
            return Err(BadBranchRegex::TooLong(characters));
        }
        Regex::new(&text).map_err(|error| BadBranchRegex::Syntax(error.to_string()))?;
        Ok(Self(text))
    }
}

impl FromStr for BranchRegex {
    type Err = BadBranchRegex;

    fn from_str(text: &str) -> Result<Self, BadBranchRegex> {
        text.to_owned().try_into()
    }
}

impl From<BranchRegex> for String {
    fn from(regex: BranchRegex) -> Self {
        regex.0
    }
}

impl BranchFilter {
    /// Compiles the filter for a run over many names.
    ///
    /// # Errors
    /// When a stored expression is not valid.
    pub fn matcher(&self) -> Result<BranchMatcher, BadBranchRegex> {
        let expression = match self {
            Self::All => None,
            Self::Protected(patterns) => Some(any_of(patterns)),
            Self::Regex(regex) => Some(regex.0.clone()),
        };
        let regex = expression.map(|text| Regex::new(&text)).transpose();
        Ok(BranchMatcher(regex.map_err(|error| BadBranchRegex::Syntax(error.to_string()))?))
    }
}

/// One anchored expression for all wildcard patterns. Without patterns nothing matches.
fn any_of(patterns: &[String]) -> String {
    let alternatives: Vec<String> =
        patterns.iter().map(|pattern| pattern.split('*').map(regex::escape).collect::<Vec<_>>().join(".*")).collect();
    if alternatives.is_empty() { "[^\\s\\S]".to_owned() } else { format!("^(?s:{})$", alternatives.join("|")) }
}

/// A [`BranchFilter`] made ready.
#[derive(Debug)]
pub struct BranchMatcher(Option<Regex>);

impl BranchMatcher {
    /// Whether the branch of this short name takes part.
    pub fn admits(&self, branch: &str) -> bool {
        self.0.as_ref().is_none_or(|regex| regex.is_match(branch))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admitted(filter: &BranchFilter, names: &[&'static str]) -> Vec<&'static str> {
        let matcher = filter.matcher().unwrap();
        names.iter().copied().filter(|name| matcher.admits(name)).collect()
    }

    #[test]
    fn protected_patterns_are_whole_names_in_which_a_star_crosses_slashes() {
        let filter = BranchFilter::Protected(vec!["main".into(), "release/*".into(), "a.b".into()]);
        let names = ["main", "maintenance", "release/1", "release/1/x", "prerelease/1", "axb", "a.b"];
        assert_eq!(admitted(&filter, &names), ["main", "release/1", "release/1/x", "a.b"]);
    }

    #[test]
    fn no_protected_pattern_admits_nothing() {
        assert_eq!(admitted(&BranchFilter::Protected(vec![]), &["main"]), [""; 0]);
    }

    #[test]
    fn an_expression_is_searched_for_anywhere_in_the_name() {
        let filter = BranchFilter::Regex("^v[0-9]|stable".parse().unwrap());
        assert_eq!(admitted(&filter, &["v1", "dev1", "1-stable"]), ["v1", "1-stable"]);
    }

    #[test]
    fn a_bad_expression_is_refused() {
        assert!(matches!("(".parse::<BranchRegex>(), Err(BadBranchRegex::Syntax(_))));
        assert_eq!("x".repeat(256).parse::<BranchRegex>(), Err(BadBranchRegex::TooLong(256)));
    }
}
