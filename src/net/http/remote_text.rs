//! What a server says to people beside its status.

use std::fmt;
use std::time::Duration;

use reqwest::Response;
use reqwest::header::CONTENT_TYPE;
use tokio::time::timeout;

use crate::net::Session;

/// More of a refusal nobody reads.
pub(in crate::net) const LONGEST: usize = 4 * 1024;

/// A refusal is told without its text, if that does not come soon.
const PATIENCE: Duration = Duration::from_secs(2);

/// What the server said in plain text, printable, bounded and masked; mostly nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RemoteText(String);

impl RemoteText {
    /// Reads the text of a refusal, if it is for people who use git: pages for browsers are not.
    pub(super) async fn of(response: &mut Response, session: &Session) -> Self {
        let kind = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let essence = kind.split(';').next().unwrap_or_default().trim();
        if !essence.eq_ignore_ascii_case("text/plain") {
            return Self::default();
        }
        let mut text = Vec::new();
        let read = async {
            while let Ok(Some(chunk)) = response.chunk().await {
                text.extend_from_slice(&chunk[..chunk.len().min(LONGEST - text.len())]);
                if text.len() == LONGEST {
                    break;
                }
            }
        };
        let _ = timeout(PATIENCE, read).await;
        Self::said(&text, session)
    }

    /// Of bytes that were kept up to the limit.
    pub(in crate::net) fn said(text: &[u8], session: &Session) -> Self {
        // A secret that the limit has cut in two would no longer be known as one.
        let whole = if text.len() == LONGEST { before_last_blank(text) } else { text };
        Self::new(&String::from_utf8_lossy(whole), session)
    }

    fn new(text: &str, session: &Session) -> Self {
        let printable = |line: &str| line.chars().filter(|character| !character.is_control()).collect::<String>();
        let lines: Vec<String> = text.lines().map(|line| printable(line).trim().to_owned()).collect();
        Self(session.mask(lines.join("\n").trim()))
    }
}

/// The part before the last blank.
fn before_last_blank(text: &[u8]) -> &[u8] {
    &text[..text.iter().rposition(u8::is_ascii_whitespace).unwrap_or_default()]
}

impl fmt::Display for RemoteText {
    /// As a paragraph behind an error.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() { Ok(()) } else { write!(f, "\n\nThe remote said:\n{}", self.0) }
    }
}
