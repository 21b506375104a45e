//! `git://`: git's own protocol, without login and without encryption.

use tokio::io::AsyncWriteExt as _;

use super::counted::Counted;
use super::duplex::{Ends, Line};
use super::{NetError, Service, Session};

/// Connects and asks for the session's repository.
pub(super) async fn open(session: &Session, service: Service) -> Result<Ends, NetError> {
    let request = request(session, service)?;
    let stream = session.connect().await?;
    let (reader, mut writer) = tokio::io::split(Counted::new(stream, session));
    writer
        .write_all(request.as_bytes())
        .await
        .map_err(|error| NetError::Broken { authority: session.url().authority(), reason: error.to_string() })?;
    Ok((Box::new(reader), Box::new(writer), Line::default()))
}

/// The first line of the conversation: its length in hexadecimal, the program, the path and the host, with null bytes
/// between. The path cannot hold one: an address with a control character is none.
fn request(session: &Session, service: Service) -> Result<String, NetError> {
    let url = session.url();
    let line = format!("{} {}\0host={}\0", service.program(), url.path(), url.authority());
    let length = line.len() + 4;
    if length > 0xfff0 {
        return Err(NetError::Unusable { what: "URL".to_owned(), problem: "its path is too long".to_owned() });
    }
    Ok(format!("{length:04x}{line}"))
}
