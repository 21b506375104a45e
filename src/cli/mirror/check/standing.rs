//! What Redis knows about a mirror and its host: whether its runs would get as far as the network.

use std::time::Duration;

use humantime::format_duration;

use super::super::super::administration::Administration;
use super::super::super::output;
use super::report::Report;
use crate::coordination::hosts;
use crate::mirror::record::Mirror;
use crate::mirror::state::Status;
use crate::net::RemoteUrl;
use crate::store::redis::SealError;
use crate::store::{Secrets, StoreError};

/// How the mirror stands.
pub(super) async fn of_mirror(
    administration: &Administration,
    mirror: &Mirror,
    report: &mut Report,
) -> anyhow::Result<()> {
    let (key, state) = (mirror.key(), &mirror.state);
    let (direction, id) = (key.direction, key.id);
    if !mirror.settings.enabled {
        let next = format!("`sidemirror mirror update {direction} {id} --enabled true`, if it is to run");
        report.note("mirror", "it is disabled: jobs for it do nothing", Some(next));
    } else if administration.is_running(key).await? {
        report.note("mirror", "a run is at it now, and is not disturbed", None);
    } else if state.is_hard_failed() {
        let next = format!("`sidemirror mirror sync {direction} {id}`, when all below is well");
        report.note("mirror", "it failed too often in a row, and is not scheduled any more", Some(next));
    } else {
        let seen = match state.status {
            Status::Failed => format!("enabled; its last run failed {}", output::relative(state.last_update_at)),
            Status::Finished => format!("enabled; its last run succeeded {}", output::relative(state.last_update_at)),
            Status::None => "enabled; it has not run yet".to_owned(),
            Status::Scheduled | Status::Started => "enabled; a job for it is under way".to_owned(),
        };
        report.ok("mirror", seen);
    }
    Ok(())
}

/// How its host stands with all nodes. A check goes there all the same.
pub(super) async fn of_host(
    administration: &Administration,
    url: &RemoteUrl,
    report: &mut Report,
) -> anyhow::Result<()> {
    let authority = url.authority();
    let views = hosts::overview(&administration.redis).await?;
    let Some(view) = views.into_iter().find(|view| view.name == authority) else {
        report.ok("host", format!("nothing is known against {authority}"));
        return Ok(());
    };
    let wait = format_duration(Duration::from_secs(view.wait.as_secs()));
    let error = output::clean(&view.error);
    let seen = match view.open {
        true if view.wait.is_zero() => {
            format!("{authority} is given up after {} failures; the next run tries it anew: {error}", view.failures)
        }
        true => format!(
            "{authority} is given up after {} failures; runs fail at once, and one may try in {wait}: {error}",
            view.failures
        ),
        false if view.wait.is_zero() => format!("runs for {authority} were put off in the last minute"),
        false => format!("{authority} wants to be left alone for {wait}: {error}"),
    };
    report.note("host", seen, None);
    Ok(())
}

/// The mirror's secrets, opened.
pub(super) async fn of_secrets(
    administration: &Administration,
    mirror: &Mirror,
    report: &mut Report,
) -> anyhow::Result<Option<Secrets>> {
    let names: Vec<String> =
        administration.store.stored(&[mirror.key()]).await?.iter().flatten().map(ToString::to_string).collect();
    let told = if names.is_empty() { "none are stored".to_owned() } else { format!("opened: {}", names.join(", ")) };
    match administration.store.secrets(mirror).await {
        Ok(secrets) => {
            report.ok("secrets", told);
            Ok(Some(secrets))
        }
        Err(StoreError::Seal(error)) => {
            let next = match &error {
                SealError::Damaged => {
                    format!("give it again: `sidemirror mirror update {} {}`", mirror.key().direction, mirror.id)
                }
                _ => "`sidemirror secrets status` counts what was sealed with which key; compare the configured one"
                    .to_owned(),
            };
            report.failed("secrets", error.to_string(), Some(next));
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}
