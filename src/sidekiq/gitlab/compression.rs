//! Arguments that GitLab's client compressed, since they were long.

use std::io::Read;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::read::ZlibDecoder;
use serde_json::Value;

use crate::sidekiq::job::JobFailure;
use crate::sidekiq::job::payload::Payload;

/// Arguments longer than this, in bytes, are not read. GitLab refuses jobs of more than 5 MB after compression, and nothing
/// served here has arguments of even a kilobyte: a few bytes must not become gigabytes of memory.
const LARGEST: u64 = 1 << 20;
/// Arguments of more parts than this are not read: one of two bytes may take hundreds when it is read. Within both limits
/// it takes 3 MiB of memory at most.
const MOST_PARTS: usize = 10_000;

/// Whether a payload says that its arguments are compressed.
pub(in crate::sidekiq) fn is_compressed(payload: &Payload) -> bool {
    payload.raw("compressed").is_some()
}

/// The arguments of a payload that says that they are compressed; `None` if it does not.
///
/// # Errors
/// A [`JobFailure`] when they are not one text that inflates to an array of moderate size.
pub(in crate::sidekiq) fn inflated(payload: &Payload) -> Option<Result<Vec<Value>, JobFailure>> {
    is_compressed(payload).then(|| inflate(payload).map_err(|problem| JobFailure::new("ArgumentError", problem)))
}

fn inflate(payload: &Payload) -> Result<Vec<Value>, String> {
    let args: Vec<Value> = payload.get("args").ok_or("the compressed arguments are no array")?;
    let [Value::String(text)] = args.as_slice() else {
        return Err("compressed arguments are one text, and nothing else".to_owned());
    };
    let packed = STANDARD.decode(text).map_err(|_| "the compressed arguments are not base64")?;
    let mut json = Vec::new();
    let read = ZlibDecoder::new(&packed[..]).take(LARGEST + 1).read_to_end(&mut json);
    read.map_err(|_| "the compressed arguments do not inflate")?;
    if json.len() as u64 > LARGEST {
        return Err(format!("the compressed arguments inflate to more than {LARGEST} bytes"));
    }
    if parts(&json) > MOST_PARTS {
        return Err(format!("the compressed arguments inflate to more than {MOST_PARTS} parts"));
    }
    serde_json::from_slice(&json).map_err(|_| "the compressed arguments do not hold an array in JSON".to_owned())
}

/// About as many as there are values, keys and containers in this JSON, told without building them.
fn parts(json: &[u8]) -> usize {
    let (mut in_text, mut escaped, mut parts) = (false, false, 0);
    for byte in json {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            b',' | b':' | b'[' | b'{' if !in_text => parts += 1,
            _ => {}
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::ZlibEncoder;

    use super::*;

    fn packed(bytes: &[u8]) -> String {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::new(5));
        encoder.write_all(bytes).unwrap();
        STANDARD.encode(encoder.finish().unwrap())
    }

    fn args(args: &str) -> Option<Result<Vec<Value>, JobFailure>> {
        inflated(&Payload::parse(format!(r#"{{"args":{args},"compressed":true}}"#)).unwrap())
    }

    #[test]
    fn compressed_arguments_are_read_as_what_they_were() {
        let json = format!(r#"[42,"{}"]"#, "x".repeat(100_000));
        let read = args(&format!("[\"{}\"]", packed(json.as_bytes()))).unwrap().unwrap();
        assert_eq!((read.len(), &read[0]), (2, &42.into()));
        // Written by Ruby: Base64.strict_encode64(Zlib::Deflate.deflate("[42,\"é\"]", 5))
        assert_eq!(args(r#"["eF6LNjHSUTq8UikWAA2UAvs="]"#).unwrap().unwrap(), [Value::from(42), "é".into()]);
        assert!(inflated(&Payload::parse(r#"{"args":[42]}"#).unwrap()).is_none());
    }

    #[test]
    fn compressed_arguments_that_are_not_one_small_packed_array_are_a_failure() {
        let bomb = packed(&vec![b' '; usize::try_from(LARGEST).unwrap() + 2]);
        let object = packed(b"{}");
        let cut = &packed(&(0..=255).collect::<Vec<u8>>())[..40];
        for wrong in [
            "[]".to_owned(),
            "{}".to_owned(),
            "[42]".to_owned(),
            r#"["eF6LNjHSUTq8UikWAA2UAvs=",1]"#.to_owned(),
            r#"["eF6LNjHSUTq8\nUikWAA2UAvs="]"#.to_owned(),
            r#"["not base64"]"#.to_owned(),
            format!("[\"{object}\"]"),
            format!("[\"{cut}\"]"),
            format!("[\"{bomb}\"]"),
        ] {
            let failure = args(&wrong).unwrap().unwrap_err();
            assert_eq!(failure.error_class, "ArgumentError");
            assert!(failure.message.contains("compressed arguments"), "{}", failure.message);
        }
        assert!(args(&format!("[\"{bomb}\"]")).unwrap().unwrap_err().message.contains("more than 1048576 bytes"));
    }

    #[test]
    fn compressed_arguments_of_very_many_parts_are_a_failure_however_short_they_are() {
        let many = |part: &str, count: usize| {
            let json = format!("[{}]", vec![part; count].join(","));
            args(&format!("[\"{}\"]", packed(json.as_bytes()))).unwrap()
        };
        assert_eq!(many("0", MOST_PARTS).unwrap().len(), MOST_PARTS);
        assert_eq!(many(&format!(r#""{}\"""#, ",".repeat(MOST_PARTS)), 3).unwrap().len(), 3, "a text is one part");
        for part in ["0", "[]", r#"{"":0}"#, r#""""#] {
            assert!(many(part, MOST_PARTS + 1).unwrap_err().message.contains("more than 10000 parts"), "{part}");
        }
    }
}
