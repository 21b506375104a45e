//! HTTP, as far as a git server needs it, and as wrong as a case wants it.

use std::io;

use crate::server::{Behaviour, Visit, behaviour};

/// What a client asked.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// The path with its query.
    pub(crate) target: String,
    /// Everything between the first line and the body.
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Request {
    /// Whether it is for the list of refs.
    pub(crate) fn is_listing(&self) -> bool {
        self.method == "GET" && self.target.contains("/info/refs")
    }

    /// How long its body says to be.
    pub(crate) fn length(&self) -> Option<usize> {
        self.header("content-length")?.parse().ok()
    }

    fn header(&self, name: &str) -> Option<&str> {
        let named = |line: &&str| line.split(':').next().is_some_and(|found| found.eq_ignore_ascii_case(name));
        self.head.lines().find(named)?.split_once(':').map(|(_, value)| value.trim())
    }
}

impl Visit {
    /// The next request, with its body.
    pub(crate) fn request(&mut self) -> io::Result<Request> {
        let mut request = self.request_head()?;
        request.body = self.body(&request)?;
        Ok(request)
    }

    /// The next request up to where its body begins.
    pub(crate) fn request_head(&mut self) -> io::Result<Request> {
        let mut text = Vec::new();
        while !text.ends_with(b"\r\n\r\n") {
            text.push(self.byte()?);
        }
        let text = String::from_utf8_lossy(&text).into_owned();
        let (first, head) = text.split_once("\r\n").unwrap_or_default();
        let mut words = first.split(' ').map(str::to_owned);
        let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        Ok(Request { method, target, head: head.to_owned(), body: Vec::new() })
    }

    fn body(&mut self, request: &Request) -> io::Result<Vec<u8>> {
        if request.header("expect").is_some() {
            self.send("HTTP/1.1 100 Continue\r\n\r\n")?;
        }
        if let Some(length) = request.length() {
            return self.bytes(length);
        }
        let mut body = Vec::new();
        while request.header("transfer-encoding").is_some() {
            let mut line = Vec::new();
            while !line.ends_with(b"\r\n") {
                line.push(self.byte()?);
            }
            let size = usize::from_str_radix(String::from_utf8_lossy(&line).trim(), 16).map_err(io::Error::other)?;
            body.extend(self.bytes(size)?);
            self.bytes(2)?;
            if size == 0 {
                break;
            }
        }
        Ok(body)
    }
}

/// The head of an answer whose body ends with the connection.
pub(crate) fn head(content_type: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\nConnection: close\r\n\r\n")
}

/// Answers every request with these bytes, head and all, and closes.
pub(crate) fn answers(bytes: impl Into<Vec<u8>>) -> Behaviour {
    let bytes = bytes.into();
    behaviour(move |visit| {
        visit.request()?;
        visit.send(&bytes)
    })
}

/// A status with some headers (each with its line end) and a short body.
pub(crate) fn status(line: &str, headers: &str) -> Behaviour {
    answers(format!("HTTP/1.1 {line}\r\n{headers}Content-Length: 5\r\nConnection: close\r\n\r\nhello"))
}
