//! What the far side says it holds, read from git's own list.

use crate::git::{Excess, GitError, LimitKind, Limits};
use crate::mirror::refs::{Advertisement, RefName};

/// Takes over what `git ls-remote --symref` or a remote helper's `list` printed. Peeled entries and names that git does
/// not accept are left out, and so is what is not text: it is no name that git would accept from us.
pub(super) fn advertisement(listed: &[u8], limits: &Limits) -> Result<Advertisement, GitError> {
    let (mut found, mut count) = (Advertisement::default(), 0);
    for line in listed.split(|&byte| byte == b'\n').filter_map(|line| str::from_utf8(line).ok()) {
        if let Some(target) = line.strip_prefix("ref: ").and_then(|rest| rest.strip_suffix("\tHEAD")) {
            found.head = Some(RefName::new(target));
            continue;
        }
        let Some((id, name)) = line.split_once(['\t', ' ']) else { continue };
        count += u64::from(!name.ends_with("^{}"));
        Excess::check(LimitKind::Refs, u64::try_from(limits.refs).unwrap_or(u64::MAX), count)?;
        if name.starts_with("refs/") && git2::Reference::is_valid_name(name) {
            found.refs.insert(RefName::new(name), id.parse()?);
        }
    }
    Ok(found)
}
