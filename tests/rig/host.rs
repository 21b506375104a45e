//! A git host of the test's own: nginx, with TLS or without, before git http-backend; it logs what it was shown.

use std::fs;
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde::Deserialize;
use tempfile::TempDir;

use super::certificates::Ca;
use super::port;
use super::process::Process;
use super::repository::Repository;
use super::wait;

/// The only user.
pub const USER: &str = "mirror";
/// The user's password.
pub const PASSWORD: &str = "s3cr3t/+=@%23";

/// A running host.
pub struct Host {
    /// On 127.0.0.1.
    pub port: u16,
    folder: TempDir,
    scheme: &'static str,
    _nginx: Process,
    _fcgiwrap: Process,
}

/// What is particular about a host, in nginx's language.
#[derive(Default)]
pub struct Particulars<'a> {
    /// The CA, the name of the certificate that it has signed, and further words for `listen`.
    pub tls: Option<(&'a Ca, &'a str, &'a str)>,
    /// Lines for the server.
    pub server: &'a str,
    /// What stands between a request and git; a password, if nothing is said.
    pub gate: Option<&'a str>,
}

/// One line of the log.
#[derive(Debug, Clone, Deserialize)]
pub struct Request {
    pub method: String,
    pub uri: String,
    pub status: u16,
    pub connection: u64,
    pub protocol: String,
    pub authorization: String,
    pub token: String,
    /// The client certificate's name.
    pub client: String,
    /// Of the answer.
    pub encoding: String,
    /// Who stands between us and the host.
    pub via: String,
    pub length: u64,
}

impl Host {
    /// Serves with a password and without TLS.
    pub fn plain() -> Self {
        Self::with(&Particulars::default())
    }

    /// Serves as it is told.
    pub fn with(particulars: &Particulars<'_>) -> Self {
        let (port, folder) = (port::free(), tempfile::tempdir().unwrap());
        let root = folder.path();
        fs::create_dir(root.join("repositories")).unwrap();
        fs::write(root.join("gitconfig"), GIT_CONFIG).unwrap();
        fs::write(root.join("nginx.conf"), nginx_conf(root, port, particulars)).unwrap();
        fs::write(root.join("passwords"), format!("{USER}:{{PLAIN}}{PASSWORD}\n")).unwrap();

        let socket = root.join("git.socket");
        let mut command = Command::new("fcgiwrap");
        command.args(["-f", "-c", "8", "-s"]).arg(format!("unix:{}", socket.display()));
        let mut fcgiwrap = Process::start("fcgiwrap", &mut command, &root.join("fcgiwrap.log"));
        fcgiwrap.ready(|| UnixStream::connect(&socket).is_ok());
        let mut command = Command::new("/usr/sbin/nginx");
        command.arg("-e").arg(root.join("nginx.log")).arg("-p").arg(root).arg("-c").arg(root.join("nginx.conf"));
        let mut nginx = Process::start("nginx", &mut command, &root.join("nginx.log"));
        nginx.ready(|| TcpStream::connect(("127.0.0.1", port)).is_ok());
        let scheme = if particulars.tls.is_some() { "https" } else { "http" };
        Self { port, folder, scheme, _nginx: nginx, _fcgiwrap: fcgiwrap }
    }

    /// The address of something here, by this name of the machine.
    pub fn url_by(&self, name: &str, path: &str) -> String {
        format!("{}://{name}:{}/{path}", self.scheme, self.port)
    }

    /// The same by its address.
    pub fn url(&self, path: &str) -> String {
        self.url_by("127.0.0.1", path)
    }

    /// A new repository with one commit.
    pub fn repository(&self, path: &str) -> Repository {
        let repository = self.empty(path);
        repository.commit("main", "one");
        repository
    }

    /// A new repository without anything.
    pub fn empty(&self, path: &str) -> Repository {
        Repository::create(&self.folder.path().join("repositories").join(path))
    }

    /// A file in the host's folder; `FOLDER` in its configuration.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The requests so far, at least so many. A request is logged a moment after its client has read the answer.
    pub fn requests(&self, at_least: usize) -> Vec<Request> {
        wait::for_some("the host to log its requests", Duration::from_secs(10), || {
            let log = fs::read_to_string(self.file("access.log")).unwrap_or_default();
            let requests: Vec<Request> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
            (requests.len() >= at_least).then_some(requests)
        })
    }
}

const GIT_CONFIG: &str = "
[safe]
    directory = *
[http]
    receivepack = true
[gc]
    auto = 0
[receive]
    autogc = false
[core]
    fsync = none
";

const PASSWORD_GATE: &str = "auth_basic \"git\"; auth_basic_user_file FOLDER/passwords;";

fn nginx_conf(root: &Path, port: u16, particulars: &Particulars<'_>) -> String {
    let user = if rustix::process::geteuid().is_root() { "user root;" } else { "" };
    let (listen, tls) = match particulars.tls {
        None => (String::new(), String::new()),
        Some((ca, name, words)) => {
            let [certificate, key] = ["crt", "key"].map(|kind| ca.path(&format!("{name}.{kind}")));
            let lines = format!("ssl_certificate {}; ssl_certificate_key {};", certificate.display(), key.display());
            (format!("ssl {words}"), lines)
        }
    };
    let Particulars { server, gate, .. } = particulars;
    let gate = gate.unwrap_or(PASSWORD_GATE);
    let text = format!(
        r#"{user}
daemon off;
worker_processes 1;
error_log FOLDER/nginx.log;
pid FOLDER/nginx.pid;
events {{ worker_connections 2048; }}
http {{
    log_format requests escape=json '{{"method":"$request_method","uri":"$request_uri","status":$status,'
        '"connection":$connection,"protocol":"$server_protocol","authorization":"$http_authorization",'
        '"token":"$http_x_token","client":"$ssl_client_s_dn","encoding":"$sent_http_content_encoding",'
        '"via":"$http_via","length":$request_length}}';
    access_log FOLDER/access.log requests;
    client_max_body_size 0;
    client_body_temp_path FOLDER/body;
    fastcgi_temp_path FOLDER/fastcgi;
    proxy_temp_path FOLDER/proxy;
    scgi_temp_path FOLDER/scgi;
    uwsgi_temp_path FOLDER/uwsgi;
    keepalive_requests 100000;
    server {{
        listen 127.0.0.1:{port} {listen};
        {tls}
        {server}
        location / {{
            {gate}
            fastcgi_pass unix:FOLDER/git.socket;
            fastcgi_buffering off;
            fastcgi_request_buffering off;
            fastcgi_read_timeout 600s;
            fastcgi_param SCRIPT_FILENAME /usr/lib/git-core/git-http-backend;
            fastcgi_param GIT_PROJECT_ROOT FOLDER/repositories;
            fastcgi_param GIT_HTTP_EXPORT_ALL 1;
            fastcgi_param GIT_CONFIG_GLOBAL FOLDER/gitconfig;
            fastcgi_param GIT_CONFIG_NOSYSTEM 1;
            fastcgi_param HOME FOLDER;
            fastcgi_param PATH /usr/bin:/bin;
            fastcgi_param PATH_INFO $uri;
            fastcgi_param QUERY_STRING $query_string;
            fastcgi_param REQUEST_METHOD $request_method;
            fastcgi_param CONTENT_TYPE $content_type;
            fastcgi_param CONTENT_LENGTH $content_length;
            fastcgi_param HTTP_CONTENT_ENCODING $http_content_encoding;
            fastcgi_param GIT_PROTOCOL $http_git_protocol;
            fastcgi_param REMOTE_USER $remote_user;
            fastcgi_param REMOTE_ADDR $remote_addr;
        }}
    }}
}}
"#
    );
    text.replace("FOLDER", &root.display().to_string())
        .replace("127.0.0.1:PORT", &format!("127.0.0.1:{port}"))
        .replace("@PORT@", &port.to_string())
}
