//! What is asked of a git server.

/// The program at the far side that serves us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Service {
    /// It sends: we fetch.
    UploadPack,
    /// It receives: we push.
    ReceivePack,
}

impl Service {
    /// Its name on every wire.
    pub const fn program(self) -> &'static str {
        match self {
            Self::UploadPack => "git-upload-pack",
            Self::ReceivePack => "git-receive-pack",
        }
    }
}
