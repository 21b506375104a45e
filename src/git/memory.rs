//! What our last push left at a far side.

use super::{Digest, GitError, Repository};
use crate::mirror::refs::{RefChange, RefName, Refs};

/// Per push mirror: the value of each far branch and tag as our last push left it, kept as refs under
/// `refs/sidemirror/push/<id>/<far side>/`, so that git keeps the objects too.
#[derive(Debug)]
pub struct PushMemory<'a> {
    repository: &'a Repository,
    /// `refs/sidemirror/push/<id>/<far side>/`
    prefix: String,
}

impl<'a> PushMemory<'a> {
    /// What the push mirror `id` left at this far side. What it left at another one says nothing here.
    ///
    /// # Errors
    /// [`GitError::BadName`] if `id` cannot be part of a ref name.
    pub fn new(repository: &'a Repository, id: &str, far_side: &str) -> Result<Self, GitError> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        if id.is_empty() || !id.bytes().all(plain) {
            return Err(GitError::BadName(id.to_owned()));
        }
        Ok(Self {
            repository,
            prefix: format!("refs/sidemirror/push/{id}/{}/", Digest::of_bytes(far_side.as_bytes()).short()),
        })
    }

    /// The far refs as our last push left them, under their own names. Empty before the first push.
    ///
    /// # Errors
    /// [`GitError`] if they cannot be read.
    pub fn read(&self) -> Result<Refs, GitError> {
        let kept = self.repository.read_refs(&[&self.prefix])?;
        Ok(kept.into_iter().map(|(name, id)| (self.original(&name), id)).collect())
    }

    /// Makes the memory say `left`: branches and tags that the far side now holds because, or as if, we had put them
    /// there.
    ///
    /// # Errors
    /// [`GitError`] if it could not be written, or not wholly.
    pub fn remember(&self, left: &Refs) -> Result<(), GitError> {
        let before = self.read()?;
        let gone = before.iter().filter(|(name, _)| !left.contains_key(*name));
        let mut changes: Vec<RefChange> = gone.map(|(name, id)| RefChange::delete(self.kept(name), *id)).collect();
        for (name, id) in left.iter().filter(|(name, _)| name.is_mirrored()) {
            match before.get(name) {
                Some(old) if old == id => {}
                Some(old) => changes.push(RefChange::update(self.kept(name), *old, *id)),
                None => changes.push(RefChange::create(self.kept(name), *id)),
            }
        }
        for outcome in self.repository.apply(&changes)? {
            let name = outcome.change.name;
            outcome.result.map_err(|reason| GitError::NotWritten { name, reason })?;
        }
        Ok(())
    }

    fn kept(&self, name: &RefName) -> RefName {
        RefName::new(format!("{}{}", self.prefix, name.as_str().strip_prefix("refs/").unwrap_or(name.as_str())))
    }

    fn original(&self, kept: &RefName) -> RefName {
        RefName::new(format!("refs/{}", kept.as_str().strip_prefix(&self.prefix).unwrap_or(kept.as_str())))
    }
}
