//! A git server of the test's own: nginx before fcgiwrap before git http-backend.

use std::fmt::Write as _;
use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

pub(crate) const USER: &str = "mirror";
pub(crate) const PASSWORD: &str = "s3cret/p@ss";

pub(crate) struct GitServer {
    pub(crate) port: u16,
    folder: PathBuf,
    children: Vec<Child>,
}

impl GitServer {
    /// Serves the repositories in `folder`/served, and waits until it does.
    pub(crate) fn start(folder: &Path) -> Self {
        fs::create_dir_all(folder.join("served")).unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        fs::write(folder.join("htpasswd"), format!("{USER}:{{PLAIN}}{PASSWORD}\n")).unwrap();
        fs::write(folder.join("nginx.conf"), configuration(folder, port)).unwrap();
        let socket = format!("unix:{}", folder.join("fcgi.sock").display());
        let mut server = Self { port, folder: folder.to_owned(), children: Vec::new() };
        server.spawn("fcgiwrap", &["-s", &socket]);
        wait_for("fcgiwrap", || folder.join("fcgi.sock").exists());
        let (prefix, file) = (folder.display().to_string(), folder.join("nginx.conf").display().to_string());
        server.spawn("/usr/sbin/nginx", &["-p", &prefix, "-c", &file]);
        wait_for("nginx", || TcpStream::connect(("127.0.0.1", port)).is_ok());
        server
    }

    pub(crate) fn served(&self, name: &str) -> PathBuf {
        self.folder.join("served").join(name)
    }

    /// The requests so far, as `METHOD path status`.
    pub(crate) fn requests(&self) -> Vec<String> {
        fs::read_to_string(self.folder.join("access.log")).unwrap_or_default().lines().map(str::to_owned).collect()
    }

    fn spawn(&mut self, program: &str, arguments: &[&str]) {
        let mut command = Command::new(program);
        command.args(arguments).env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        command.env("GIT_CONFIG_NOSYSTEM", "1").env("HOME", &self.folder);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
        self.children.push(command.spawn().unwrap_or_else(|error| panic!("{program}: {error}")));
    }
}

impl Drop for GitServer {
    fn drop(&mut self) {
        for child in &mut self.children {
            if let Some(group) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
                let _ = kill_process_group(group, Signal::KILL);
            }
            let _ = child.wait();
        }
    }
}

fn wait_for(what: &str, ready: impl Fn() -> bool) {
    let give_up = Instant::now() + Duration::from_secs(20);
    while !ready() {
        assert!(Instant::now() < give_up, "{what} did not start");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn configuration(folder: &Path, port: u16) -> String {
    let at = folder.display();
    let mut text = format!(
        "daemon off; master_process off; pid {at}/nginx.pid; error_log {at}/error.log; user root;
         events {{}}
         http {{
           log_format short '$request_method $request_uri $status $connection'; access_log {at}/access.log short;
           client_max_body_size 0; keepalive_requests 100000;
           server {{
             listen 127.0.0.1:{port};
             location /moved/ {{ return 301 http://other:pass@127.0.0.1:{port}/elsewhere.git; }}
             location /page/ {{ default_type text/html; return 200 hello; }}
             location /static/ {{ default_type application/x-git-upload-pack-advertisement; alias {at}/static/; }}
             location / {{
               auth_basic git; auth_basic_user_file {at}/htpasswd;
               fastcgi_pass unix:{at}/fcgi.sock; fastcgi_buffering off;
               fastcgi_param SCRIPT_FILENAME /usr/lib/git-core/git-http-backend;
               fastcgi_param GIT_PROJECT_ROOT {at}/served; fastcgi_param GIT_HTTP_EXPORT_ALL '';
               fastcgi_param PATH_INFO $uri; fastcgi_param REMOTE_USER $remote_user;\n"
    );
    for name in ["query_string", "request_method", "content_type", "content_length", "remote_addr"] {
        let _ = writeln!(text, "fastcgi_param {} ${name};", name.to_uppercase());
    }
    for kind in ["client_body", "fastcgi", "proxy", "uwsgi", "scgi"] {
        text = text.replacen("server {", &format!("{kind}_temp_path {at}/tmp_{kind}; server {{"), 1);
    }
    text + "}}}"
}
