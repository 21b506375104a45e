//! How busy the process is, for whoever looks from outside: in systemd's status, and in a few letters as the name that
//! `top` and `ps -o comm` show. What Sidekiq writes there, its command line, a program without unsafe code cannot change.

use std::ffi::CString;
use std::time::Duration;

use super::service_manager;
use crate::config::Config;
use crate::sidekiq::Process;

/// The time between two looks at what is to be shown.
const PERIOD: Duration = Duration::from_secs(2);
/// Bytes that Linux keeps of a name.
const LONGEST: usize = 15;

const NAME: &str = "sidemirror";

/// What there is to show.
#[derive(PartialEq)]
struct Title<'t> {
    tag: &'t str,
    busy: usize,
    slots: usize,
    quiet: bool,
}

impl Title<'_> {
    /// A line for people.
    fn status(&self) -> String {
        let Self { tag, busy, slots, quiet } = self;
        let name = [NAME, env!("CARGO_PKG_VERSION"), tag].join(" ");
        let quiet = if *quiet { " quiet" } else { "" };
        format!("{} [{busy} of {slots} busy]{quiet}", name.trim_end())
    }

    /// The name of the process. It begins with its own whatever follows, so that `pgrep sidemirror` finds it: if not all
    /// has room, the slots go first.
    fn comm(&self) -> String {
        let Self { busy, slots, .. } = self;
        let forms = [format!("{NAME} {busy}/{slots}"), format!("{NAME} {busy}")];
        forms.into_iter().find(|form| form.len() <= LONGEST).unwrap_or_else(|| NAME.to_owned())
    }
}

/// Shows it for as long as it is polled, which must be on the main thread: its name is that of the process.
pub(super) async fn show(process: &Process, config: &Config) {
    let mut shown = None;
    loop {
        let title = Title {
            tag: &config.sidekiq.tag,
            busy: process.busy(),
            slots: config.sidekiq.concurrency(),
            quiet: process.is_quiet(),
        };
        if shown.as_ref() != Some(&title) {
            service_manager::status(&title.status());
            set_name(&title.comm());
            shown = Some(title);
        }
        tokio::time::sleep(PERIOD).await;
    }
}

fn set_name(name: &str) {
    // Nobody depends on it.
    if let Ok(name) = CString::new(name) {
        let _ = rustix::thread::set_name(&name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_too_long_loses_its_slots_and_never_its_beginning() {
        let comm = |busy, slots| Title { tag: "", busy, slots, quiet: false }.comm();
        assert_eq!(comm(3, 25), "sidemirror 3/25");
        assert_eq!(comm(12, 25), "sidemirror 12");
        assert_eq!(comm(9999, 10_000), "sidemirror 9999");
        assert_eq!(comm(10_000, 10_000), "sidemirror");
    }
}
