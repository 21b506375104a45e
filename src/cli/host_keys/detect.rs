//! `host-keys detect`.

use clap::Args;

use super::view::View;
use super::{detected, ssh_url, written};
use crate::config::Config;

#[derive(Debug, Args)]
pub(super) struct DetectArgs {
    /// The server, such as `ssh://git@git.example.com:2222/group/project.git` or `git@git.example.com:group/project.git`
    url: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn detect(config: &Config, args: &DetectArgs) -> anyhow::Result<()> {
    let url = ssh_url(&args.url)?;
    let keys = detected(config, &url).await?;
    View::of(&written(&url, &keys)?).print(args.json)
}
