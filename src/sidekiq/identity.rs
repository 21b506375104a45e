//! The name of this process in Redis.

use std::fmt;
use std::sync::Arc;

/// `<hostname>:<pid>:<12 hexadecimal digits>`, unique for the life of a process.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Identity {
    hostname: Arc<str>,
    text: Arc<str>,
}

impl Identity {
    /// The name of this process, new with each call.
    pub fn new() -> Self {
        // Readers take the name apart at its colons.
        let hostname = gethostname::gethostname().to_string_lossy().replace(':', "-");
        let nonce = rand::random::<u64>() >> 16;
        let text = format!("{hostname}:{}:{nonce:012x}", std::process::id()).into();
        Self { hostname: hostname.into(), text }
    }

    /// The whole name.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The name of the machine.
    pub fn hostname(&self) -> &str {
        &self.hostname
    }
}

impl Default for Identity {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
