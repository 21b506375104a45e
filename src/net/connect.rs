//! A TCP connection to a session's far side, for what is not HTTP.

use std::io;
use std::net::TcpStream as StdTcpStream;

use tokio::net::TcpStream;
use tokio::time::timeout;

use super::{NetError, Session};

impl Session {
    /// Connects within the connect limit, to the first of the host's addresses that answers.
    pub(super) async fn connect(&self) -> Result<TcpStream, NetError> {
        let limit = self.door().connect_timeout;
        let attempt = async {
            let mut problem = None;
            for address in self.door().resolver.resolve(self.url().host(), self.url().port()).await? {
                match TcpStream::connect(address).await {
                    Ok(stream) => {
                        stream.set_nodelay(true).map_err(|error| NetError::of_connecting(&error, self.url().authority()))?;
                        return Ok(stream);
                    }
                    Err(error) => problem = Some(NetError::of_connecting(&error, self.url().authority())),
                }
            }
            Err(problem.unwrap_or_else(|| NetError::Unresolved { host: self.url().host().to_owned() }))
        };
        let timed_out = |_| NetError::ConnectTimeout { authority: self.url().authority(), limit };
        timeout(limit, attempt).await.map_err(timed_out)?
    }
}

/// A second handle of a connection, which ends it when it is dropped, whatever still waits on the first.
pub(super) struct HangUp(StdTcpStream);

impl HangUp {
    /// For `stream`, which goes on as it was.
    pub(super) fn of(stream: TcpStream) -> io::Result<(TcpStream, Self)> {
        let stream = stream.into_std()?;
        let second = stream.try_clone()?;
        Ok((TcpStream::from_std(stream)?, Self(second)))
    }
}

impl Drop for HangUp {
    fn drop(&mut self) {
        // A connection that is gone already is what we want.
        let _ = self.0.shutdown(std::net::Shutdown::Both);
    }
}
