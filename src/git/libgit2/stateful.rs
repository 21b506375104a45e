//! libgit2's smart transport over one connection that lasts for the whole conversation.

use std::io::{self, Read, Write};

use git2::Error;
use git2::transport::{Service, SmartSubtransport, SmartSubtransportStream};

use super::subtransport::{LONGEST_LISTING, refusal, session, speakable};
use super::text::TextReader;
use crate::net::{self, Duplex, Session};

/// One connection of libgit2's.
pub(in crate::git) struct Stateful {
    session: Option<Session>,
}

impl Stateful {
    /// For the session whose scope this thread is in.
    pub(in crate::git) fn of_this_thread() -> Self {
        Self { session: session() }
    }
}

impl SmartSubtransport for Stateful {
    /// Called for the listing only; what follows goes on with its stream.
    fn action(&self, _url: &str, service: Service) -> Result<Box<dyn SmartSubtransportStream>, Error> {
        let session = self.session.as_ref().ok_or_else(|| refusal("no run has opened this connection"))?;
        let service = match service {
            Service::UploadPackLs | Service::UploadPack => net::Service::UploadPack,
            Service::ReceivePackLs | Service::ReceivePack => net::Service::ReceivePack,
        };
        let mut duplex = session.open(service).map_err(refusal)?;
        duplex.limit_reading(session.allowance().listing.min(LONGEST_LISTING));
        Ok(Box::new(Conversation { stream: TextReader::new(duplex), service, listing: true }))
    }

    fn close(&self) -> Result<(), Error> {
        Ok(())
    }
}

/// First the far side's list of refs; then, once we have said something, packs or a report.
struct Conversation {
    stream: TextReader<Duplex>,
    service: net::Service,
    listing: bool,
}

impl Read for Conversation {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let packs = !self.listing && self.service == net::Service::UploadPack;
        let read = if packs { self.stream.read_raw(buffer) } else { self.stream.read(buffer) };
        read.map_err(speakable)
    }
}

impl Write for Conversation {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        if self.listing {
            self.listing = false;
            self.stream.inner().lift_limit();
        }
        self.stream.inner().write(data).map_err(speakable)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
