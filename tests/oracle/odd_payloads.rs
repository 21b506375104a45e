//! Payloads that Ruby's client would not write, but others do, and what must become of each.

/// Where a job ends that ran once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Fate {
    /// It succeeded.
    Done,
    /// It failed and was not to be kept.
    Dropped,
    Retry,
    Dead,
    /// It was no job at all and lies in the dead set as it came.
    Buried,
    /// It lies in the dead set as the argument of an object, since Ruby's API could not read the set otherwise.
    Wrapped,
}

/// The payloads; no two are the same.
pub(crate) fn all() -> Vec<(Vec<u8>, Fate)> {
    let failing = FAILING.iter().map(|text| (text.to_vec(), Fate::Retry));
    let long = format!(r#"{{"class":"UpdateMirror","args":["{}"],"jid":"long"}}"#, "é".repeat(100_000));
    let nested = format!(r#"{{"x":{}1{},"class":"UpdateMirror","args":[]}}"#, "[".repeat(99), "]".repeat(99));
    let too_deep = format!(r#"{{"x":{}1{},"class":"UpdateMirror","args":[]}}"#, "[".repeat(100), "]".repeat(100));
    let bottomless = format!(r#"{{"class":"UpdateMirror","args":{}"#, "[".repeat(100_000));
    failing
        .chain(DYING.iter().map(|text| (text.to_vec(), Fate::Dead)))
        .chain(SUCCEEDING.iter().map(|text| (text.to_vec(), Fate::Done)))
        .chain(NO_JOBS.iter().map(|text| (text.to_vec(), Fate::Buried)))
        .chain(NO_OBJECTS.iter().map(|text| (text.to_vec(), Fate::Wrapped)))
        .chain([(long.into_bytes(), Fate::Retry), (nested.into_bytes(), Fate::Retry)])
        .chain([too_deep, bottomless].map(|text| (text.into_bytes(), Fate::Buried)))
        .collect()
}

/// Arguments that name no mirror, or classes that nobody serves.
const FAILING: &[&[u8]] = &[
    // Keys of Pro, of GitLab and of nobody.
    br#"{"class":"UpdateMirror","args":["x"],"retry":true,"queue":"mirrors","jid":"extra","created_at":1700000000.0,"enqueued_at":1700000000.0,"bid":null,"cattr":{"user":1},"meta.caller_id":"Projects#update","wal_locations":{"main":"0/16B3748"},"":{},"retry_for":3600}"#,
    // Numbers that a JSON library would spell differently.
    br#"{"class":"UpdateMirror","args":["x",1E5,-0.0,1e-7,1.0e+16,1700000000.0,1700000000.10],"jid":"numbers","i":123456789012345678901234567890,"f":0.1000000000000000055511151231257827,"e":1E308}"#,
    br#"{"class":"RemoteMirror","args":[123456789012345678901234567890],"jid":"a number of thirty digits"}"#,
    // Keys of ours that are not ours where they stand, and one that is there twice.
    br#"{"class":"UpdateMirror","args":[{"queue":"inner","retry_count":7,"retry_count":8}],"jid":"nested","x":{"error_class":"mine","failed_at":1,"failed_at":2}}"#,
    br#"{"queue":"first","jid":"twice","class":"Nobody","class":"UpdateMirror","args":["x"],"queue":"second","x":1,"x":2}"#,
    // Texts.
    "{\"class\":\"UpdateMirror\",\"args\":[\"Zürich\u{2028}\u{2029}\u{7f}😀\"],\"jid\":\"texts\",\"größe\":\"\\/\\u00e9\\ud83d\\ude00\\u0000\"}".as_bytes(),
    b"{\"class\":\"UpdateMirror\",\"args\":[\"\xff\xfe\xe2\x82\"],\"jid\":\"invalid UTF-8\",\"x\xc3\":\"\xf0\x9f\"}",
    // Keys of ours in other letters.
    br#"{"cl\u0061ss":"UpdateMirror","args":["x"],"jid":"escaped keys","\u0071ueue":"elsewhere","retry\u005fcount":4,"failed\u005fat":1700000000.5}"#,
    // Space.
    b" {\r\n\t\"class\" : \"UpdateMirror\" ,\n\t\"args\" : [ \"x\" , { } ] ,\n\t\"jid\" : \"space\"\n}\r\n ",
    // What is missing.
    br#"{"class":"UpdateMirror","args":["x"]}"#,
    br#"{"class":"UpdateMirror","jid":"no arguments"}"#,
    br#"{"class":"UpdateMirror","args":{"id":1},"jid":"arguments by name","retry":null}"#,
    br#"{"args":[1],"jid":"no class"}"#,
    br#"{"class":null,"args":[1],"jid":"a class that is null"}"#,
    b"{}",
    // What is of another type than usual.
    br#"{"class":"::UpdateMirror","args":["x"],"jid":"absolute","retry":"often","tags":["a","b"]}"#,
    br#"{"class":"Forge::Nobody","args":[1],"jid":"nobody's","retry":2.5}"#,
    br#"{"class":"UpdateMirror","args":["x"],"jid":"a backtrace as a list","error_backtrace":["one","two"],"retry_count":0}"#,
    br#"{"class":"UpdateMirror","args":["x"],"jid":"milliseconds","created_at":1700000000000,"enqueued_at":1700000000000}"#,
];

const DYING: &[&[u8]] = &[
    br#"{"class":"UpdateMirror","args":["x"],"jid":"exhausted","retry_count":24,"error_message":"old","failed_at":1700000000.25,"retried_at":1700000001,"x":1E5}"#,
    br#"{"retry":3,"retry_count":2,"class":"UpdateMirror","args":[],"jid":"exhausted by its own limit"}"#,
    b"{\"retry\":0,\"class\":\"RemoteMirror\",\"args\":[\"\xff\"],\"jid\":\"never to be retried\",\"x\":1.0}",
];

/// Mirrors that do not exist any more.
const SUCCEEDING: &[&[u8]] = &[
    br#"{"class":"UpdateMirror","args":[900001,1E5,{"x":null}],"jid":"done"}"#,
    br#"{"class":"::RemoteMirror","args":["900002","\u00e9"]}"#,
];

const NO_JOBS: &[&[u8]] = &[
    b"",
    b"not json",
    br#"{"class":"UpdateMirror","args":[1]"#,
    br#"{"class":"UpdateMirror","args":[1]}}"#,
    br#"{"class":"UpdateMirror","args":[1],}"#,
    br#"{"class":"UpdateMirror","args":[NaN]}"#,
    b"{'class':'UpdateMirror','args':[1]}",
    b"\xef\xbb\xbf{\"class\":\"UpdateMirror\",\"args\":[1]}",
    b"\xff\xfe{\0}\0",
    b"{\"class\":\"UpdateMirror\",\"args\":[\"\n\"]}",
    br#"{"class":"UpdateMirror","args":["x"],"jid":"half a surrogate pair","x":"\ud800"}"#,
];

const NO_OBJECTS: &[&[u8]] = &[br#"[1E5,{"queue":"x"}]"#, b" [\"\xff\"]\n", b"null", b"3", b"\"x\""];
