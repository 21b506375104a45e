//! What the far side says it holds.

use git2::RemoteHead;

use crate::git::GitError;
use crate::git::by_library::object_id;
use crate::mirror::refs::{Advertisement, RefName};

/// Takes over a list of refs. Peeled entries and names that git does not accept are left out.
pub(super) fn advertisement(heads: &[RemoteHead<'_>]) -> Result<Advertisement, GitError> {
    let mut found = Advertisement::default();
    for head in heads {
        let name = head.name();
        if name == "HEAD" {
            found.head = head.symref_target().map(RefName::new);
        } else if name.starts_with("refs/") && git2::Reference::is_valid_name(name) {
            found.refs.insert(RefName::new(name), object_id(head.oid())?);
        }
    }
    Ok(found)
}
