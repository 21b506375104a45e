use std::process::Command;
use std::fs;
use serde_json::Value;
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Ruby { V6, V7, V8 }
impl Ruby {
    pub(crate) fn version(self) -> &'static str { match self { Self::V6 => "6.4", Self::V7 => "7.3", Self::V8 => "8.1" } }
    pub(crate) fn profile(self) -> &'static str { match self { Self::V6 => "6.4", Self::V7 => "7", Self::V8 => "8" } }
    pub(crate) fn root(self) -> &'static str { match self { Self::V6 => "/", Self::V7 => "/tmp/roots/trixie", Self::V8 => "/tmp/roots/sid" } }
    pub(crate) fn command(self, program: &str, redis_url: &str) -> Command {
        let mut command = if self == Self::V6 { Command::new(format!("/usr/bin/{program}")) } else {
            let mut c = Command::new("/usr/sbin/chroot"); c.arg(self.root()).arg(format!("/usr/bin/{program}")); c };
        command.env_clear().env("PATH", "/usr/bin:/bin").env("LANG", "C.UTF-8").env("REDIS_URL", redis_url);
        command
    }
    pub(crate) fn eval(self, redis_url: &str, script: &str) -> Value {
        let program = format!("require 'json'\nRedis.silence_deprecations = true if Redis.respond_to?(:silence_deprecations=)\nvalue = begin\n{script}\nend\nputs JSON.generate(value)");
        let program = if self == Self::V6 { program } else { program.replace("Redis.silence_deprecations = true if Redis.respond_to?(:silence_deprecations=)", "") };
        let output = self.command("ruby", redis_url).args(["-rsidekiq", "-rsidekiq/api", "-e", &program]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        serde_json::from_str(printed.lines().last().unwrap()).unwrap()
    }
    pub(crate) fn folder(self) -> tempfile::TempDir {
        let f = if self == Self::V6 { tempfile::tempdir().unwrap() } else { tempfile::tempdir_in(format!("{}/tmp", self.root())).unwrap() };
        use std::os::unix::fs::PermissionsExt; fs::set_permissions(f.path(), fs::Permissions::from_mode(0o755)).unwrap(); f
    }
    pub(crate) fn inside(self, path: &std::path::Path) -> String {
        let p = path.to_str().unwrap();
        if self == Self::V6 { p.to_owned() } else { p.strip_prefix(self.root()).unwrap().to_owned() }
    }
}
impl Ruby { pub(crate) fn has_metrics(self) -> bool { self != Self::V6 } }
