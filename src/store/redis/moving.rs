//! What becomes of a mirror's secrets when its settings become others.

use std::collections::BTreeMap;

use super::super::{SecretName, StoreError};
use super::seal::bound_to;
use super::sealing_keys::FieldChange;
use super::{SealError, SealingKeys};
use crate::mirror::record::Mirror;

/// The secrets that stay behind when a mirror goes to another place: nothing is ever sent to a host that it was not given
/// for. What is set for the new place comes after these.
pub(super) fn left_behind(old: &Mirror, new: &Mirror) -> Vec<FieldChange> {
    let (moved, other_proxy) =
        (old.settings.origin() != new.settings.origin(), old.settings.reach.proxy != new.settings.reach.proxy);
    let of_host = [SecretName::Login, SecretName::Bearer, SecretName::Header("*".to_owned()), SecretName::ClientKey];
    let of_proxy = [SecretName::ProxyLogin];
    let names = of_host.iter().filter(|_| moved).chain(of_proxy.iter().filter(|_| other_proxy));
    names.map(|name| FieldChange::taken_out(name.to_string())).collect()
}

/// The secrets that go another way to the same place now, sealed for that way. Those in `others` become something else
/// anyway. One that does not open for the old settings is left as it is: whoever puts back the settings that it was
/// sealed for, has it back.
pub(super) fn taken_along(
    keys: &Result<SealingKeys, SealError>,
    (old, new): (&Mirror, &Mirror),
    fields: &BTreeMap<String, String>,
    others: &[FieldChange],
) -> Result<Vec<FieldChange>, StoreError> {
    let mut changes = Vec::new();
    for (field, sealed) in fields {
        let Some(name) = SecretName::parse(field) else { continue };
        if bound_to(old, &name) == bound_to(new, &name) || others.iter().any(|change| change.is_of(field)) {
            continue;
        }
        match keys.as_ref().map_err(Clone::clone)?.reseal(old, new, &name, sealed) {
            Ok(resealed) => changes.push(FieldChange::replaced(field.clone(), sealed.clone(), resealed)),
            Err(SealError::Damaged) => tracing::warn!(mirror = %new.key(), secret = %name, "{}", SealError::Damaged),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(changes)
}
