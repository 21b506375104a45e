//! Answers to a fetch, as libgit2 would see them.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::ZlibEncoder;

use super::*;

fn line(payload: &[u8]) -> Vec<u8> {
    [format!("{:04x}", payload.len() + 4).as_bytes(), payload].concat()
}

fn band(number: u8, payload: &[u8]) -> Vec<u8> {
    line(&[&[number], payload].concat())
}

/// A pack of one blob, whose checksum nobody looks at here.
fn pack(content: &[u8]) -> Vec<u8> {
    let mut deflated = ZlibEncoder::new(Vec::new(), Compression::none());
    deflated.write_all(content).unwrap();
    let size = [0xb0 | u8::try_from(content.len() & 15).unwrap(), u8::try_from(content.len() >> 4).unwrap()];
    [b"PACK\0\0\0\x02\0\0\0\x01", &size[..], &deflated.finish().unwrap(), &[0; 20]].concat()
}

/// The text of the refusal, if it is one.
fn refused(answer: &[Vec<u8>]) -> Option<String> {
    let answer = answer.concat();
    let results = [1, 7, usize::MAX].map(|piece| {
        let mut watch = PackWatch::new(Limits { pack_objects: 1, object: 1500, ..Limits::NONE });
        let looked = answer.chunks(piece.min(answer.len())).try_for_each(|piece| watch.look(piece));
        looked.and_then(|()| watch.look(&[])).err().map(|error| error.to_string())
    });
    assert!(results.iter().all(|result| *result == results[0]), "{results:?}");
    let [result, ..] = results;
    result
}

const NAK: &[u8] = b"NAK\n";
const FLUSH: &[u8] = b"0000";

#[test]
fn an_honest_answer_passes_with_its_talk_and_its_signs_of_life() {
    let pack = pack(&[b'x'; 1000]);
    let (first, rest) = pack.split_at(40);
    let acks =
        (0..256).map(|_| line(format!("ACK {} common\n", "1".repeat(40)).as_bytes())).collect::<Vec<_>>().concat();
    let answer = [acks, line(NAK), band(2, b"Counting\r"), band(1, b""), band(1, first), band(2, b"."), band(1, rest)];
    assert_eq!(refused(&[&answer[..], &[FLUSH.to_vec()]].concat()), None);
    // Without bands.
    assert_eq!(refused(&[line(NAK), pack]), None);
}

#[test]
fn what_libgit2_passes_over_does_not_hide_the_pack_that_it_takes() {
    let bomb = pack(&[b'x'; 2000]);
    let nothing = b"PACK\0\0\0\x02\0\0\0\0".to_vec();
    // The pack that is passed over is not whole: what follows would be its content.
    let hull = pack(&[b'x'; 1400])[..30].to_vec();
    for hidden in [nothing, hull] {
        for next in [line(NAK), line(b"ACK 1111111111111111111111111111111111111111\n"), bomb.clone()] {
            let told = refused(&[band(1, &hidden), next, band(1, &bomb), FLUSH.to_vec()]).unwrap();
            assert_eq!(told, "something else follows what looked like the pack");
        }
    }
    let told = refused(&[line(NAK), band(1, &bomb)]).unwrap();
    assert!(told.contains("an object of"), "{told}");
}

#[test]
fn a_pack_ends_with_its_checksum() {
    let pack = pack(b"hello");
    let more = [&pack[..], b"x"].concat();
    for answer in [[line(NAK), more.clone()], [line(NAK), band(1, &more)], [band(1, &pack), band(1, b"x")]] {
        assert_eq!(refused(&answer).unwrap(), "something stands behind their end");
    }
}

#[test]
fn acknowledgements_end_somewhere() {
    let ack = line(format!("ACK {} continue\n", "1".repeat(40)).as_bytes());
    let told = refused(&vec![ack; 2000]).unwrap();
    assert_eq!(told, "too much stands before the pack");
}

#[test]
fn libgit2_never_holds_more_than_the_line_that_it_waits_for() {
    let pack = pack(b"hello");
    let answer = [line(NAK), band(2, b"talk"), band(1, &pack), FLUSH.to_vec()];
    let all = answer.concat();
    let mut watched = Watched::new(all.as_slice(), PackWatch::new(Limits::NONE));
    let mut buffer = vec![0; 65536];
    for line in answer {
        let mut seen = 0;
        while seen < line.len() {
            seen += watched.read(&mut buffer).unwrap();
        }
        assert_eq!(seen, line.len());
    }
}
