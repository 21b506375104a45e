//! `secrets generate-key`.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use anyhow::Context;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use clap::Args;
use rand::TryRng;
use rand::rngs::SysRng;
use serde_json::json;
use zeroize::Zeroizing;

use super::super::output;
use crate::store::redis::SealingKey;

#[derive(Debug, Args)]
pub(super) struct GenerateKeyArgs {
    /// The file, which must not exist yet
    file: PathBuf,
    /// Print the key's id as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn generate_key(args: &GenerateKeyArgs) -> anyhow::Result<()> {
    let mut raw = Zeroizing::new([0; 32]);
    SysRng.try_fill_bytes(raw.as_mut_slice()).context("the system gave no random bytes")?;
    let text = Zeroizing::new(BASE64_STANDARD.encode(*raw) + "\n");
    let key = SealingKey::parse(&text)?;
    let problem = || format!("{} cannot be made", args.file.display());
    let mut file =
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(&args.file).with_context(problem)?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).with_context(problem)?;
    if args.json {
        output::json(&json!({ "key": key.id(), "file": args.file.display().to_string() }))
    } else {
        output::line(&format!("made key {} in {}; keep a copy of it elsewhere", key.id(), args.file.display()))
    }
}
