//! OpenSSH's own server, as the user who runs the test, with host keys made for it.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Once;

use super::port;
use super::process::Process;

/// A server on a free port.
pub struct Sshd {
    /// On 127.0.0.1.
    pub port: u16,
    process: Process,
    folder: PathBuf,
}

impl Sshd {
    /// Starts one with host keys of these kinds, and further lines of configuration.
    pub fn start(folder: &Path, kinds: &[&str], lines: &[&str]) -> Self {
        let port = port::free();
        let folder = folder.join(format!("sshd-{port}"));
        fs::create_dir(&folder).unwrap();
        let at = folder.display();
        let mut text = format!(
            "Port {port}\nListenAddress 127.0.0.1\nPidFile none\nStrictModes no\nUsePAM no\nLogLevel VERBOSE\n\
             AuthorizedKeysFile {at}/authorized_keys\nMaxStartups 100\nPermitRootLogin yes\n\
             PasswordAuthentication no\nKbdInteractiveAuthentication no\n"
        );
        for kind in kinds {
            let key = folder.join(format!("host_{kind}"));
            keygen(&["-q", "-t", kind, "-N", "", "-C", "", "-f", key.to_str().unwrap()]);
            let _ = writeln!(text, "HostKey {}", key.display());
        }
        text += &lines.join("\n").replace("{folder}", folder.to_str().unwrap());
        text.push('\n');
        fs::write(folder.join("sshd_config"), text).unwrap();
        fs::write(folder.join("authorized_keys"), "").unwrap();
        let process = run(&folder, port);
        Self { port, process, folder }
    }

    /// Ends it, and starts it anew with another host key of this kind.
    pub fn with_new_host_key(mut self, kind: &str) -> Self {
        self.process.kill_group();
        let key = self.file(&format!("host_{kind}"));
        fs::remove_file(&key).unwrap();
        keygen(&["-q", "-t", kind, "-N", "", "-C", "", "-f", key.to_str().unwrap()]);
        self.process = run(&self.folder, self.port);
        self
    }

    /// The same server, which has read its files anew.
    pub fn restarted(mut self) -> Self {
        self.process.kill_group();
        self.process = run(&self.folder, self.port);
        self
    }

    /// A file of the server's.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Lets in whoever has this key.
    pub fn authorise(&self, public_line: &str) {
        fs::write(self.file("authorized_keys"), format!("{public_line}\n")).unwrap();
    }

    /// A line of `known_hosts` for one of its keys.
    pub fn known(&self, kind: &str) -> String {
        format!("[127.0.0.1]:{} {}", self.port, self.public(kind))
    }

    /// Type and base64 of one of its public keys.
    pub fn public(&self, kind: &str) -> String {
        public_key(&self.file(&format!("host_{kind}.pub")))
    }

    /// What `ssh-keygen -l` says about one of its keys, such as `256 SHA256:… no comment (ED25519)`.
    pub fn listed(&self, kind: &str, hash: &str) -> String {
        let file = self.file(&format!("host_{kind}.pub"));
        keygen(&["-l", "-E", hash, "-f", file.to_str().unwrap()])
    }

    /// `SHA256:…` of one of its keys.
    pub fn fingerprint(&self, kind: &str) -> String {
        self.listed(kind, "sha256").split(' ').nth(1).unwrap().to_owned()
    }

    /// How many connections there were.
    pub fn connections(&self) -> usize {
        self.process.log().matches("Connection from 127.0.0.1").count()
    }

    /// All that it has logged.
    pub fn log(&self) -> String {
        self.process.log()
    }
}

fn run(folder: &Path, port: u16) -> Process {
    static FOLDER: Once = Once::new();
    // The server wants it as root only, and then nobody else's.
    FOLDER.call_once(|| {
        let _ = fs::create_dir_all("/run/sshd");
    });
    let mut command = Command::new("/usr/sbin/sshd");
    let _ = fs::remove_file(folder.join("log"));
    command.env_clear().env("PATH", "/usr/bin:/bin").args(["-D", "-e", "-f"]).arg(folder.join("sshd_config"));
    // Not by connecting: the tests count connections.
    let mut process = Process::start("sshd", &mut command, &folder.join("log"));
    let listening = format!("Server listening on 127.0.0.1 port {port}.");
    process.ready(|| fs::read_to_string(folder.join("log")).is_ok_and(|log| log.contains(&listening)));
    process
}

/// Runs ssh-keygen and returns what it printed.
pub fn keygen(arguments: &[&str]) -> String {
    let output = Command::new("/usr/bin/ssh-keygen").args(arguments).output().unwrap();
    assert!(output.status.success(), "ssh-keygen {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}

/// Type and base64 of the public key in a file.
pub fn public_key(file: &Path) -> String {
    let text = fs::read_to_string(file).unwrap();
    text.split(' ').take(2).collect::<Vec<_>>().join(" ").trim_end().to_owned()
}

/// A key of ours: what `ssh-keygen` makes with these arguments, as text, and its public line.
pub fn our_key(folder: &Path, arguments: &[&str]) -> (String, String) {
    let file = folder.join(format!("key-{}", port::free()));
    keygen(&[&["-q", "-C", "", "-f", file.to_str().unwrap()], arguments].concat());
    let public = public_key(&file.with_extension("pub"));
    (fs::read_to_string(file).unwrap(), public)
}

/// Whoever runs the test: sshd lets nobody else in.
pub fn me() -> String {
    let output = Command::new("/usr/bin/id").arg("-un").output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}
