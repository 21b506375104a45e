//! Git over HTTP as forges serve it: nginx, fcgiwrap and `git http-backend`, behind Basic authentication.

use std::fs;
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::port;
use super::process::Process;
use super::repository::Repository;

/// How many requests git serves at once; further ones wait in the socket's queue.
const BACKENDS: &str = "16";

/// A running server. Its repositories may be read and pushed to by the one user there is.
pub struct GitServer {
    port: u16,
    folder: TempDir,
    // In the order in which they end: first who asks, then who answers.
    _nginx: Process,
    _fcgiwrap: Process,
}

/// One line of the access log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// `GET` or `POST`.
    pub method: String,
    /// The path with its query, such as `/group/project.git/info/refs?service=git-upload-pack`.
    pub target: String,
    /// The status of the answer.
    pub status: u16,
    /// The number of the TCP connection that it came over.
    pub connection: u64,
    /// When its first byte came and the last of its answer had gone, in milliseconds of Unix time.
    pub began: u64,
    /// See `began`.
    pub ended: u64,
}

impl GitServer {
    /// The only user.
    pub const USER: &str = "mirror";
    /// The user's password; it holds what would have to be escaped in a URL.
    pub const PASSWORD: &str = "s3cr3t/+=@%23";

    /// Starts one without repositories and waits until it accepts connections.
    pub fn start() -> Self {
        let port = port::free();
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        fs::create_dir(root.join("repositories")).unwrap();
        fs::write(root.join("gitconfig"), GIT_CONFIG).unwrap();
        fs::write(root.join("nginx.conf"), nginx_conf(root, port)).unwrap();
        fs::write(root.join("passwords"), password_line()).unwrap();

        let socket = root.join("git.socket");
        let mut command = Command::new("fcgiwrap");
        command.args(["-f", "-c", BACKENDS, "-s"]).arg(format!("unix:{}", socket.display()));
        let mut fcgiwrap = Process::start("fcgiwrap", &mut command, &root.join("fcgiwrap.log"));
        fcgiwrap.ready(|| UnixStream::connect(&socket).is_ok());

        let mut command = Command::new("/usr/sbin/nginx");
        command.arg("-e").arg(root.join("nginx.log")).arg("-p").arg(root).arg("-c").arg(root.join("nginx.conf"));
        let mut nginx = Process::start("nginx", &mut command, &root.join("nginx.log"));
        nginx.ready(|| TcpStream::connect(("127.0.0.1", port)).is_ok());

        Self { port, folder, _nginx: nginx, _fcgiwrap: fcgiwrap }
    }

    /// A new empty repository under this path, such as `group/project.git`.
    pub fn create(&self, path: &str) -> Repository {
        Repository::create(&self.repository_path(path))
    }

    /// Where the repository of this path lies, whether it exists or not.
    pub fn repository_path(&self, path: &str) -> PathBuf {
        self.folder.path().join("repositories").join(path)
    }

    /// The URL of a repository, without credentials.
    pub fn url(&self, path: &str) -> String {
        Self::url_at(self.port, path)
    }

    /// The URL of a repository when the server is reached at another port, such as a proxy's.
    pub fn url_at(port: u16, path: &str) -> String {
        format!("http://127.0.0.1:{port}/{path}")
    }

    /// A URL that answers with a redirect to the repository's own.
    pub fn redirecting_url(&self, path: &str) -> String {
        self.url(&format!("redirect/{path}"))
    }

    /// A URL that answers with a page for people.
    pub fn page_url(&self) -> String {
        self.url("page/project.git")
    }

    /// The port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The requests for a repository so far, oldest first. A request is logged when its answer has been sent, which
    /// may be a moment after its client has read it.
    pub fn requests(&self, path: &str) -> Vec<Request> {
        let prefix = format!("/{path}/");
        let log = fs::read_to_string(self.folder.path().join("access.log")).unwrap_or_default();
        log.lines().map(parse_request).filter(|request| request.target.starts_with(&prefix)).collect()
    }
}

fn parse_request(line: &str) -> Request {
    let [method, status, connection, ended, duration, target] = line.splitn(6, ' ').collect::<Vec<_>>()[..] else {
        panic!("a line of the access log: {line}")
    };
    // Seconds with three decimal places.
    let milliseconds = |seconds: &str| seconds.replace('.', "").parse::<u64>().unwrap();
    Request {
        method: method.to_owned(),
        target: target.to_owned(),
        status: status.parse().unwrap(),
        connection: connection.parse().unwrap(),
        began: milliseconds(ended) - milliseconds(duration),
        ended: milliseconds(ended),
    }
}

fn password_line() -> Vec<u8> {
    // SHA-1: the server checks the password anew at each request, and a stronger hash would be what tests wait for.
    let output = Command::new("htpasswd").args(["-nbs", GitServer::USER, GitServer::PASSWORD]).output().unwrap();
    assert!(output.status.success(), "htpasswd: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
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

fn nginx_conf(root: &Path, port: u16) -> String {
    let root = root.display();
    // A server started by root would otherwise hand its requests to www-data, who may not read our folder.
    let user = if rustix::process::geteuid().is_root() { "user root;" } else { "" };
    format!(
        r#"{user}
daemon off;
worker_processes 1;
error_log {root}/nginx.log;
pid {root}/nginx.pid;
events {{ worker_connections 2048; }}
http {{
    log_format requests '$request_method $status $connection $msec $request_time $request_uri';
    access_log {root}/access.log requests;
    client_max_body_size 0;
    client_body_temp_path {root}/body;
    fastcgi_temp_path {root}/fastcgi;
    proxy_temp_path {root}/proxy;
    scgi_temp_path {root}/scgi;
    uwsgi_temp_path {root}/uwsgi;
    keepalive_requests 100000;
    server {{
        listen 127.0.0.1:{port} backlog=1024;
        location /page/ {{ default_type text/html; return 200 "<html>a project</html>"; }}
        location ~ ^/redirect(/.*)$ {{ return 301 http://127.0.0.1:{port}$1$is_args$args; }}
        location / {{
            auth_basic "git";
            auth_basic_user_file {root}/passwords;
            fastcgi_pass unix:{root}/git.socket;
            fastcgi_buffering off;
            fastcgi_read_timeout 600s;
            fastcgi_param SCRIPT_FILENAME /usr/lib/git-core/git-http-backend;
            fastcgi_param GIT_PROJECT_ROOT {root}/repositories;
            fastcgi_param GIT_HTTP_EXPORT_ALL 1;
            fastcgi_param GIT_CONFIG_GLOBAL {root}/gitconfig;
            fastcgi_param GIT_CONFIG_NOSYSTEM 1;
            fastcgi_param HOME {root};
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
    )
}
