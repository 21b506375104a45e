//! Git's own lines, honest or not: pkt-lines, side-bands and a far side that speaks them over HTTP.

use std::io;

use crate::http::{Request, head};
use crate::packs::Id;
use crate::server::{Behaviour, Visit, behaviour};

/// What ends a list.
pub(crate) const FLUSH: &[u8] = b"0000";

/// The longest payload of one line.
pub(crate) const LONGEST: usize = 65516;

/// What an upload-pack can do.
pub(crate) const FETCH: &str =
    "multi_ack_detailed side-band-64k ofs-delta thin-pack no-progress symref=HEAD:refs/heads/main";

/// What a receive-pack can do.
pub(crate) const PUSH: &str = "report-status delete-refs side-band-64k quiet ofs-delta";

/// One line with its length before it.
pub(crate) fn line(payload: impl AsRef<[u8]>) -> Vec<u8> {
    let payload = payload.as_ref();
    [format!("{:04x}", payload.len() + 4).as_bytes(), payload].concat()
}

/// `payload` in lines on this band.
pub(crate) fn band(number: u8, payload: &[u8]) -> Vec<u8> {
    payload.chunks(LONGEST - 1).flat_map(|chunk| line([&[number], chunk].concat())).collect()
}

/// What stands before the refs.
pub(crate) fn preface(program: &str) -> Vec<u8> {
    [line(format!("# service={program}\n")), FLUSH.to_vec()].concat()
}

/// A list of these refs; the first carries what the far side can do.
pub(crate) fn listed<'a>(capabilities: &str, refs: impl IntoIterator<Item = (&'a [u8], Id)>) -> Vec<u8> {
    let (mut list, mut capabilities) = (Vec::new(), format!("\0{capabilities}"));
    for (name, id) in refs {
        let end = std::mem::take(&mut capabilities);
        list.extend(line([id.to_string().as_bytes(), b" ", name, end.as_bytes(), b"\n"].concat()));
    }
    list.extend(FLUSH);
    list
}

/// The same as HTTP has it.
pub(crate) fn listing<'a>(
    program: &str,
    capabilities: &str,
    refs: impl IntoIterator<Item = (&'a [u8], Id)>,
) -> Vec<u8> {
    [preface(program), listed(capabilities, refs)].concat()
}

/// A far side for a pull: an honest list whose `HEAD` and `refs/heads/main` are `tip`, and `serve` for the request that
/// asks for the pack.
pub(crate) fn upstream(
    tip: Id,
    serve: impl Fn(&mut Visit, &Request) -> io::Result<()> + Send + Sync + 'static,
) -> Behaviour {
    let list = listing("git-upload-pack", FETCH, [(&b"HEAD"[..], tip), (b"refs/heads/main", tip)]);
    git_server(list, serve)
}

/// A far side with this list, and `serve` for everything else.
pub(crate) fn git_server(
    list: Vec<u8>,
    serve: impl Fn(&mut Visit, &Request) -> io::Result<()> + Send + Sync + 'static,
) -> Behaviour {
    behaviour(move |visit| {
        let request = visit.request()?;
        let program = if request.target.contains("receive-pack") { "git-receive-pack" } else { "git-upload-pack" };
        if request.is_listing() {
            visit.send(head(&format!("application/x-{program}-advertisement")))?;
            return visit.send(&list);
        }
        visit.send(head(&format!("application/x-{program}-result")))?;
        // git asks whether it may send before it sends something long.
        if program == "git-receive-pack" && request.body == FLUSH {
            return visit.send(FLUSH);
        }
        serve(visit, &request)
    })
}

/// An upstream that answers the request for `tip` with this pack, whatever it is.
pub(crate) fn sends(tip: Id, pack: Vec<u8>) -> Behaviour {
    serves(listing("git-upload-pack", FETCH, [(&b"HEAD"[..], tip), (b"refs/heads/main", tip)]), pack)
}

/// An upstream with this list that answers every request with this pack.
pub(crate) fn serves(list: Vec<u8>, pack: Vec<u8>) -> Behaviour {
    git_server(list, move |visit, request| {
        negotiate(visit, request)?;
        visit.send([band(1, &pack), FLUSH.to_vec()].concat())
    })
}

/// Says that nothing is in common. Goes on only when the client is ready for the pack.
pub(crate) fn negotiate(visit: &mut Visit, request: &Request) -> io::Result<()> {
    visit.send(line("NAK\n"))?;
    if request.body.windows(4).any(|word| word == b"done") { Ok(()) } else { Err(io::ErrorKind::Other.into()) }
}
