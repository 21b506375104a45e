//! A proxy swallows the reply to a fetch: the job has moved, and nobody knows.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use sidemirror::sidekiq::Outcome;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::redis_server::{RedisServer, connect, until};
use crate::worker::{settings, start};

/// Passes everything on, but the first reply that holds `marker` it swallows, and all that follows on that connection.
async fn proxy(to: u16, marker: &'static str, swallowed: Arc<AtomicBool>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((near, _)) = listener.accept().await {
            let far = TcpStream::connect(("127.0.0.1", to)).await.unwrap();
            let (mut near_in, mut near_out) = near.into_split();
            let (mut far_in, mut far_out) = far.into_split();
            tokio::spawn(async move { tokio::io::copy(&mut near_in, &mut far_out).await });
            let swallowed = Arc::clone(&swallowed);
            tokio::spawn(async move {
                let mut dumb = false;
                let mut buffer = vec![0; 65536];
                while let Ok(length @ 1..) = far_in.read(&mut buffer).await {
                    let reply = String::from_utf8_lossy(&buffer[..length]);
                    dumb |= reply.contains(marker) && !swallowed.swap(true, Ordering::SeqCst);
                    if !dumb && near_out.write_all(&buffer[..length]).await.is_err() {
                        break;
                    }
                }
            });
        }
    });
    port
}

async fn a_job_whose_fetch_is_not_answered_is_run_once(already_there: bool) {
    let server = RedisServer::start().await;
    let swallowed = Arc::new(AtomicBool::new(false));
    let port = proxy(server.port, "LostOne", Arc::clone(&swallowed)).await;
    let redis = connect(port).await.unwrap();
    let payload = br#"{"class":"Tested","args":["LostOne"]}"#;
    if already_there {
        server.push("a", payload).await;
    }
    let (process, record) = start(&redis, settings(2, &[("a", 1)])).await;
    if !already_there {
        until("waiting", async || server.run::<String>(&["CLIENT", "LIST"]).await.contains("cmd=brpoplpush")).await;
        server.push("a", payload).await;
    }
    until("swallowed", async || swallowed.load(Ordering::SeqCst)).await;
    assert_eq!(record.started(), 0);
    until("done", async || record.count(Outcome::Done) == 1).await;
    process.stop().await;
    assert_eq!(record.started(), 1);
    assert_eq!(server.run::<Vec<String>>(&["KEYS", "working:*"]).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_job_whose_draw_is_not_answered_is_run_once() {
    a_job_whose_fetch_is_not_answered_is_run_once(true).await;
}

#[tokio::test]
async fn a_job_whose_blocking_wait_is_not_answered_is_run_once() {
    a_job_whose_fetch_is_not_answered_is_run_once(false).await;
}
