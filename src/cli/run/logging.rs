//! Log lines, for people or as JSON.

use tracing_subscriber::EnvFilter;

use crate::config::{Config, LogFormat};

/// What libraries tell at a lower level may be in a far side's words, and as often as it likes.
const LIBRARIES: &str = "russh=error,h2=error,hyper=error,hyper_util=error,reqwest=error,rustls=error,\
                         hickory_net=error,hickory_proto=error,hickory_resolver=error";

/// From here on every line goes to the standard output. `SIDEMIRROR_LOG` overrides the level, per module if need
/// be (`info,sidemirror::sidekiq=debug`).
pub(super) fn begin(config: &Config) {
    let default = if config.verbose { "info,sidemirror=debug" } else { "info" };
    let default = format!("{default},{LIBRARIES}");
    let filter = EnvFilter::try_from_env("SIDEMIRROR_LOG").unwrap_or_else(|_| EnvFilter::new(default));
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stdout()));
    match config.mirror.log_format {
        LogFormat::Human => lines.with_target(false).init(),
        LogFormat::Json => lines.json().flatten_event(true).with_span_list(false).init(),
    }
}
