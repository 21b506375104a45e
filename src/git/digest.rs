//! A fingerprint of what a run depends on.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::mirror::refs::Advertisement;

/// SHA-256 of something that, while it is the same, needs no new run.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Digest(String);

impl Digest {
    /// Of what a far side holds, as far as mirroring is concerned: branches, tags and `HEAD`. A host that lists its
    /// pull requests too does not become "changed" by them.
    pub fn of_advertisement(advertisement: &Advertisement) -> Self {
        let mut hash = Sha256::new();
        for (name, id) in advertisement.refs.iter().filter(|(name, _)| name.is_mirrored()) {
            hash.update(id.as_bytes());
            hash.update(name.as_str());
            hash.update([0]);
        }
        hash.update(advertisement.head.as_ref().map_or("", |head| head.as_str()));
        Self::finish(hash)
    }

    /// Of anything else that decides what a run does, in a form of the caller's choice.
    pub fn of_bytes(bytes: &[u8]) -> Self {
        Self::finish(Sha256::new_with_prefix(bytes))
    }

    /// Its first 16 digits, for names.
    pub fn short(&self) -> &str {
        self.0.get(..16).unwrap_or_default()
    }

    fn finish(hash: Sha256) -> Self {
        Self(hash.finalize().iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}")))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mirror::refs::{ObjectId, RefName};

    fn advertised(names: &[&str], head: Option<&str>) -> Digest {
        let id = ObjectId::from_bytes(&[1; 20]).unwrap();
        Digest::of_advertisement(&Advertisement {
            refs: names.iter().map(|name| (RefName::new(*name), id)).collect(),
            head: head.map(RefName::new),
        })
    }

    #[test]
    fn branches_tags_and_head_count_and_nothing_else() {
        let before = advertised(&["refs/heads/a"], None);
        assert_eq!(before, advertised(&["refs/heads/a", "refs/pull/1/head"], None));
        assert_ne!(before, advertised(&["refs/heads/a", "refs/tags/v1"], None));
        assert_ne!(before, advertised(&["refs/heads/a"], Some("refs/heads/a")));
    }
}
