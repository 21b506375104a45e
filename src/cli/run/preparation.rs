//! What can only be checked by trying: folders, files and ports that the configuration names. All of it is done
//! before anything starts, and a failure is told like any other mistake in the configuration.

use std::fs;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};

use tokio::net::TcpListener;

use crate::config::{Config, ConfigError};
use crate::git::Repositories;

/// The repositories folder: made if it is missing, ours, and writable.
pub(in crate::cli) fn repositories(config: &Config) -> Result<Repositories, ConfigError> {
    let folder = &config.mirror.repositories;
    let user = rustix::process::geteuid().as_raw();
    let wrong = |problem: String| {
        let accepted = format!("a folder that user {user}, as which sidemirror runs, owns and may write");
        config.error("mirror.repositories", format!("{} {problem}", folder.display()), accepted)
    };
    if !folder.exists() {
        let made = fs::DirBuilder::new().recursive(true).mode(0o750).create(folder);
        made.map_err(|error| wrong(format!("cannot be made: {error}")))?;
    }
    let metadata = fs::metadata(folder).map_err(|error| wrong(format!("cannot be read: {error}")))?;
    if !metadata.is_dir() {
        return Err(wrong("is not a folder".to_owned()));
    }
    if metadata.uid() != user {
        return Err(wrong(format!("belongs to user {}", metadata.uid())));
    }
    tempfile::tempfile_in(folder).map_err(|error| wrong(format!("cannot be written: {error}")))?;
    Repositories::new(folder).map_err(|error| wrong(error.to_string()))
}

/// The socket for metrics and health, if they are to be served.
pub(super) async fn listener(config: &Config) -> Result<Option<TcpListener>, ConfigError> {
    let Some(address) = config.mirror.listen else { return Ok(None) };
    TcpListener::bind(address).await.map(Some).map_err(|error| {
        let accepted = "an address and port of this machine that nobody else listens on, or \"\" for nowhere";
        config.error("mirror.listen", format!("{address} cannot be listened on: {error}"), accepted)
    })
}
