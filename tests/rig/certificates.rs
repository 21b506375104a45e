//! A private CA and what it has signed, made by OpenSSL.

use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

/// A CA in a folder of its own.
pub struct Ca {
    folder: TempDir,
}

impl Ca {
    /// Makes its key and its certificate.
    pub fn new() -> Self {
        let ca = Self { folder: tempfile::tempdir().unwrap() };
        ca.openssl("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -subj /CN=CA -keyout ca.key -out ca.crt");
        ca
    }

    /// Signs a certificate for these names (`DNS:a,IP:127.0.0.1`), valid for so many days, and writes NAME.crt and
    /// NAME.key.
    pub fn sign(&self, name: &str, alternatives: &str, days: i32) {
        let extensions = format!("subjectAltName={alternatives}\nextendedKeyUsage=serverAuth,clientAuth\n");
        std::fs::write(self.path(&format!("{name}.ext")), extensions).unwrap();
        self.openssl(&format!(
            "req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN={name} -keyout {name}.key -out {name}.csr"
        ));
        self.openssl(&format!(
            "x509 -req -in {name}.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days {days} -extfile {name}.ext -out {name}.crt"
        ));
    }

    /// Signs a certificate whose time was over long ago.
    pub fn sign_expired(&self, name: &str, alternatives: &str) {
        self.sign(name, alternatives, 30);
        let config = "[ca]\ndefault_ca=c\n[c]\ndatabase=index\nnew_certs_dir=.\nserial=ca.srl\ndefault_md=sha256\n\
                      policy=p\n[p]\ncommonName=supplied\n";
        std::fs::write(self.path("ca.conf"), config).unwrap();
        std::fs::write(self.path("index"), "").unwrap();
        self.openssl(&format!(
            "ca -batch -config ca.conf -cert ca.crt -keyfile ca.key -startdate 20200101000000Z -enddate 20200201000000Z \
             -extfile {name}.ext -in {name}.csr -out {name}.crt -notext"
        ));
    }

    /// Makes a certificate that nobody but itself has signed, and that calls itself a CA's, as `openssl req -x509` does.
    pub fn sign_itself(&self, name: &str, alternatives: &str) {
        self.openssl(&format!(
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -subj /CN={name} -addext \
             subjectAltName={alternatives} -keyout {name}.key -out {name}.crt"
        ));
    }

    /// The SHA-256 of a certificate as OpenSSL prints it: `sha256 Fingerprint=AB:CD:...`.
    pub fn fingerprint(&self, name: &str) -> String {
        self.openssl(&format!("x509 -noout -fingerprint -sha256 -in {name}.crt")).trim().to_owned()
    }

    /// What a file here holds.
    pub fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    /// Where a file here lies.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Lines for a redis-server that speaks TLS with this certificate; `clients` is what it asks of them: yes or no.
    pub fn server_lines(&self, name: &str, clients: &str) -> Vec<String> {
        vec![
            "port 0".to_owned(),
            "tls-port PORT".to_owned(),
            format!("tls-ca-cert-file {}", self.path("ca.crt").display()),
            format!("tls-cert-file {}", self.path(&format!("{name}.crt")).display()),
            format!("tls-key-file {}", self.path(&format!("{name}.key")).display()),
            format!("tls-auth-clients {clients}"),
            "tls-replication yes".to_owned(),
        ]
    }

    /// Keys of `mirror.redis`: trust this CA, and show this certificate if one is named.
    pub fn client_keys(&self, certificate: Option<&str>) -> String {
        let ca = format!("ca_file: {}", self.path("ca.crt").display());
        let Some(name) = certificate else { return ca };
        let [file, key] = ["crt", "key"].map(|kind| self.path(&format!("{name}.{kind}")));
        format!("{ca}, certificate_file: {}, key_file: {}", file.display(), key.display())
    }

    fn openssl(&self, line: &str) -> String {
        let output = Command::new("openssl").args(line.split(' ')).current_dir(self.folder.path()).output().unwrap();
        assert!(output.status.success(), "openssl {line}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }
}
