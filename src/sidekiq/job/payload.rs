//! A job as it lies in Redis: bytes that belong to whoever wrote them.
//!
//! Fields we own are spliced into the original text. Everything else (key order, the spelling of numbers, unknown
//! keys, even invalid UTF-8 inside a string) stays byte for byte, since Ruby may understand it differently than we.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use bytes::Bytes;
use serde::de::{DeserializeOwned, Deserializer, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

use super::ruby_reader::{NESTING, refusal};

/// A JSON object in its original bytes, with the place of every top-level member known. Cheap to clone.
#[derive(Clone)]
pub struct Payload {
    bytes: Bytes,
    members: std::sync::Arc<[Member]>,
}

/// One `"key":value` of the object: the key as read, the places of both in the text.
struct Member {
    key: String,
    start: usize,
    value: Range<usize>,
}

/// Why bytes are no job at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// The text does not parse.
    #[error("the payload is not JSON")]
    NotJson,
    /// It parses, but as an array, a number or the like.
    #[error("the payload is JSON but not an object")]
    NotAnObject,
    /// It is nested so deep that Ruby does not read it: its poller would take it for a retry and lose it.
    #[error("the payload is nested deeper than {NESTING} levels")]
    TooDeep,
    /// It holds the escape of half a character (an unpaired surrogate), which Ruby does not read either.
    #[error("the payload holds half a character")]
    HalfCharacter,
}

impl Payload {
    /// Finds the members in `bytes`.
    pub fn parse(bytes: impl Into<Bytes>) -> Result<Self, Malformed> {
        let bytes = bytes.into();
        let text = readable(&bytes);
        let members = members_of(&text);
        if members.is_err() && serde_json::from_str::<&RawValue>(&text).is_err() {
            return Err(Malformed::NotJson);
        }
        if let Some(malformed) = refusal(&bytes) {
            return Err(malformed);
        }
        let members = members.map_err(|_| Malformed::NotAnObject)?.into();
        Ok(Self { bytes, members })
    }

    /// The original bytes.
    pub fn as_bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The text of a field's value. Of a key written twice the last counts, as in Ruby.
    pub fn raw(&self, key: &str) -> Option<&[u8]> {
        let member = self.members.iter().rev().find(|member| member.key == key)?;
        self.bytes.get(member.value.clone())
    }

    /// A field read as `T`; `None` if it is missing or something else. Invalid UTF-8 reads as U+FFFD.
    pub fn get<T: DeserializeOwned>(&self, key: &str) -> Option<T> {
        serde_json::from_str(&String::from_utf8_lossy(self.raw(key)?)).ok()
    }

    /// The names of its fields, in their order.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.members.iter().map(|member| member.key.as_str())
    }

    /// Begins a changed copy.
    pub fn edit(&self) -> Edit<'_> {
        Edit { payload: self, changes: Vec::new() }
    }
}

impl fmt::Debug for Payload {
    /// Keys only: arguments may be secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.members.iter().map(|member| &member.key)).finish()
    }
}

/// Changes to be spliced into a payload.
#[must_use]
pub struct Edit<'a> {
    payload: &'a Payload,
    changes: Vec<(&'static str, Option<String>)>,
}

impl Edit<'_> {
    /// Gives a field this value, in its old place or, if it is new, at the end.
    pub fn set(self, key: &'static str, value: impl Into<Value>) -> Self {
        self.change(key, Some(value.into().to_string()))
    }

    /// Takes a field away, every occurrence of it.
    pub fn remove(self, key: &'static str) -> Self {
        self.change(key, None)
    }

    fn change(mut self, key: &'static str, value: Option<String>) -> Self {
        self.changes.retain(|(changed, _)| *changed != key);
        self.changes.push((key, value));
        self
    }

    /// The changed text.
    pub fn finish(self) -> Bytes {
        let Payload { bytes, members } = self.payload;
        let (Some(first), Some(last)) = (members.first(), members.last()) else {
            let fields: Vec<String> = self.added().collect();
            let inside = bytes.iter().position(|byte| *byte == b'{').map_or(0, |brace| brace + 1);
            return [&bytes[..inside], fields.join(",").as_bytes(), &bytes[inside..]].concat().into();
        };
        let mut text = bytes[..first.start].to_vec();
        let mut previous: Option<&Member> = None;
        let mut empty = true;
        for (index, member) in members.iter().enumerate() {
            let change = self.changes.iter().find(|(key, _)| *key == member.key).map(|(_, value)| value);
            if change != Some(&None) {
                if let (false, Some(previous)) = (empty, previous) {
                    text.extend_from_slice(&bytes[previous.value.end..member.start]);
                }
                text.extend_from_slice(&bytes[member.start..member.value.start]);
                // A key written twice is read from its last place, so that is where it is written.
                match change {
                    Some(Some(value)) if !members[index + 1..].iter().any(|later| later.key == member.key) => {
                        text.extend_from_slice(value.as_bytes());
                    }
                    _ => text.extend_from_slice(&bytes[member.value.clone()]),
                }
                empty = false;
            }
            previous = Some(member);
        }
        for field in self.added() {
            if !std::mem::take(&mut empty) {
                text.push(b',');
            }
            text.extend_from_slice(field.as_bytes());
        }
        text.extend_from_slice(&bytes[last.value.end..]);
        text.into()
    }

    /// The fields that the payload does not have yet, written out.
    fn added(&self) -> impl Iterator<Item = String> {
        self.changes
            .iter()
            .filter(|(key, _)| !self.payload.members.iter().any(|member| member.key == *key))
            .filter_map(|(key, value)| value.as_ref().map(|value| format!("\"{key}\":{value}")))
    }
}

/// The text with an ASCII character for each byte that is not UTF-8: every place in it is the same place in `bytes`.
fn readable(bytes: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = str::from_utf8(bytes) {
        return Cow::Borrowed(text);
    }
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(std::iter::repeat_n('?', chunk.invalid().len()));
    }
    Cow::Owned(text)
}

fn members_of(text: &str) -> Result<Vec<Member>, serde_json::Error> {
    let mut json = serde_json::Deserializer::from_str(text);
    let members = json.deserialize_map(Members { text })?;
    json.end()?;
    Ok(members)
}

struct Members<'t> {
    text: &'t str,
}

impl Members<'_> {
    /// Where in the text a borrowed part of it lies.
    fn place(&self, part: &RawValue) -> Range<usize> {
        let start = part.get().as_ptr().addr() - self.text.as_ptr().addr();
        start..start + part.get().len()
    }
}

impl<'de> Visitor<'de> for Members<'de> {
    type Value = Vec<Member>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some((key, value)) = map.next_entry::<&RawValue, &RawValue>()? {
            let name = serde_json::from_str::<String>(key.get()).map_err(serde::de::Error::custom)?;
            members.push(Member { key: name, start: self.place(key).start, value: self.place(value) });
        }
        Ok(members)
    }
}

#[cfg(test)]
#[path = "payload_tests.rs"]
mod tests;
