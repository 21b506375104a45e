//! A TCP connection to a session's far side, for what is not HTTP.

use std::io;
use std::net::{SocketAddr, TcpStream as StdTcpStream};
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use super::{NetError, Session};

/// How long an address may take before the next one is tried beside it (RFC 8305).
const HEAD_START: Duration = Duration::from_millis(250);

impl Session {
    /// Connects within the connect limit, to the first of the host's addresses that answers.
    pub(super) async fn connect(&self) -> Result<TcpStream, NetError> {
        let limit = self.door().connect_timeout;
        let authority = || self.url().authority();
        let attempt = async {
            let addresses = self.door().resolver.resolve(self.url().host(), self.url().port()).await?;
            let connected = match first_of(addresses).await {
                Ok(stream) => stream.set_nodelay(true).map(|()| stream),
                Err(error) => Err(error),
            };
            connected.map_err(|error| NetError::of_connecting(&error, authority()))
        };
        let timed_out = |_| NetError::ConnectTimeout { authority: authority(), limit };
        timeout(limit, attempt).await.map_err(timed_out)?
    }
}

/// Connects to whichever address answers first. One that is silent keeps nobody from the others.
async fn first_of(addresses: Vec<SocketAddr>) -> io::Result<TcpStream> {
    let mut waiting = addresses.into_iter();
    let mut under_way = FuturesUnordered::new();
    let mut problem = io::Error::from(io::ErrorKind::AddrNotAvailable);
    loop {
        under_way.extend(waiting.next().map(TcpStream::connect));
        if under_way.is_empty() {
            return Err(problem);
        }
        tokio::select! {
            Some(done) = under_way.next() => match done {
                Ok(stream) => return Ok(stream),
                Err(error) => problem = error,
            },
            () = sleep(HEAD_START), if waiting.len() > 0 => {}
        }
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

#[cfg(test)]
mod tests {
    use tokio::net::{TcpListener, TcpSocket};

    use super::*;

    #[tokio::test]
    async fn an_address_that_is_silent_keeps_nobody_from_the_next_and_one_that_refuses_does_not_at_all() {
        // A listener that takes nobody in is silent once its few places are taken.
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let full = socket.listen(1).unwrap();
        let silent = full.local_addr().unwrap();
        let mut kept = Vec::new();
        while let Ok(stream) = timeout(Duration::from_millis(300), TcpStream::connect(silent)).await {
            kept.push(stream.unwrap());
            assert!(kept.len() < 10);
        }
        let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let refusing = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let served = free.local_addr().unwrap();
        let stream = timeout(Duration::from_secs(3), first_of(vec![refusing, silent, served])).await.unwrap().unwrap();
        assert_eq!(stream.peer_addr().unwrap(), served);
        let refused = first_of(vec![refusing]).await.unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
    }
}
