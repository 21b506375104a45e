//! libgit2's smart transport over one connection that lasts for the whole conversation.

use std::io::{self, Read, Write};

use git2::Error;
use git2::transport::{Service, SmartSubtransport, SmartSubtransportStream};

use super::guard::{FLUSHES_OF_A_CONNECTION, ListingWatch, PackWatch, Watch as _};
use super::report_watch::ReportWatch;
use super::subtransport::{refusal, session, speakable};
use super::text::TextReader;
use crate::git::Limits;
use crate::net::{self, Duplex, Session};

/// One connection of libgit2's.
pub(in crate::git) struct Stateful {
    session: Option<(Session, Limits)>,
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
        let (session, limits) = self.session.as_ref().ok_or_else(|| refusal("no run has opened this connection"))?;
        let service = match service {
            Service::UploadPackLs | Service::UploadPack => net::Service::UploadPack,
            Service::ReceivePackLs | Service::ReceivePack => net::Service::ReceivePack,
        };
        let duplex = session.open(service).map_err(refusal)?;
        Ok(Box::new(Conversation {
            stream: TextReader::new(duplex),
            service,
            listing: Some(ListingWatch::new(session.clone(), limits, FLUSHES_OF_A_CONNECTION)),
            pack: PackWatch::new(*limits),
            report: ReportWatch::new(0),
        }))
    }

    fn close(&self) -> Result<(), Error> {
        Ok(())
    }
}

/// First the far side's list of refs; then, once we have said something, packs or a report.
struct Conversation {
    stream: TextReader<Duplex>,
    service: net::Service,
    /// While the list is read.
    listing: Option<ListingWatch>,
    pack: PackWatch,
    report: ReportWatch,
}

impl Read for Conversation {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if let Some(listing) = &mut self.listing {
            let read = self.stream.read(buffer).map_err(speakable)?;
            return listing.look(&buffer[..read]).map(|()| read).map_err(speakable);
        }
        if self.service == net::Service::ReceivePack {
            let read = self.stream.read(buffer).map_err(speakable)?;
            return self.report.look(&buffer[..read]).map(|()| read).map_err(speakable);
        }
        let room = buffer.len().min(self.pack.room());
        let read = self.stream.read_raw(&mut buffer[..room]).map_err(speakable)?;
        self.pack.look(&buffer[..read]).map(|()| read).map_err(speakable)
    }
}

impl Write for Conversation {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        if self.listing.take().is_some() {
            // The commands of a push are written first, and at once.
            self.report = ReportWatch::new(data.len());
        }
        self.stream.inner().write(data).map_err(speakable)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
