//! Jobs that Rails enqueues through ActiveJob: Sidekiq's job is a wrapper, and its only argument is Rails' own job.
//!
//! Rails counts `executions` and `exception_executions` in that argument, but only when it enqueues a job anew
//! itself (`retry_on`). A retry of Sidekiq's comes back with the argument as it was, so we leave it alone, too.

use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};
use url::Url;

use super::payload::Payload;
use crate::sidekiq::job::JobFailure;

/// The wrapper of Rails, and the one of Sidekiq 8.
const WRAPPERS: [&str; 2] = ["ActiveJob::QueueAdapters::SidekiqAdapter::JobWrapper", "Sidekiq::ActiveJob::Wrapper"];
/// The only key of an object that stands for a record of the database.
const GLOBAL_ID: &str = "_aj_globalid";
/// Names the Ruby class that wrote an object; what it wrote is mostly under `value`.
const SERIALIZER: &str = "_aj_serialized";
/// Keys that tell Ruby which kind of hash it was.
const KINDS: [&str; 3] = ["_aj_symbol_keys", "_aj_ruby2_keywords", "_aj_hash_with_indifferent_access"];

/// Whether this class is only a wrapper.
pub(in crate::sidekiq) fn is_wrapper(class: &str) -> bool {
    WRAPPERS.contains(&class.strip_prefix("::").unwrap_or(class))
}

/// The class inside the wrapper.
pub(in crate::sidekiq) fn class_of(payload: &Payload) -> Option<String> {
    let inner = || payload.get::<Vec<Value>>("args")?.first()?.get("job_class")?.as_str().map(str::to_owned);
    payload.get("wrapped").or_else(inner)
}

/// The arguments inside the wrapper's: a record is its id, a symbol its name.
///
/// # Errors
/// When they are not what Rails writes.
pub(in crate::sidekiq) fn arguments(wrapper: &[Value]) -> Result<Vec<Value>, JobFailure> {
    let arguments = wrapper.first().and_then(|job| job.get("arguments")).and_then(Value::as_array);
    let missing = || JobFailure::new("ArgumentError", "the ActiveJob in the job's arguments has no list of arguments");
    arguments.ok_or_else(missing)?.iter().map(plain).collect()
}

fn plain(argument: &Value) -> Result<Value, JobFailure> {
    match argument {
        Value::Array(items) => items.iter().map(plain).collect::<Result<Vec<_>, _>>().map(Value::Array),
        Value::Object(fields) => object(fields),
        other => Ok(other.clone()),
    }
}

fn object(fields: &Map<String, Value>) -> Result<Value, JobFailure> {
    if let (Some(id), 1) = (fields.get(GLOBAL_ID), fields.len()) {
        return id.as_str().and_then(record_id).ok_or_else(|| {
            let message = "Error while trying to deserialize arguments: a record is not given as gid://app/Model/id";
            JobFailure::new("ActiveJob::DeserializationError", message)
        });
    }
    if let (Some(value), true) = (fields.get("value"), fields.contains_key(SERIALIZER)) {
        return plain(value);
    }
    let others = fields.iter().filter(|(key, _)| !KINDS.contains(&key.as_str()));
    others.map(|(key, value)| Ok((key.clone(), plain(value)?))).collect::<Result<_, _>>().map(Value::Object)
}

/// `gid://app/Model/42` is 42; an id that is no number stays a text.
fn record_id(text: &str) -> Option<Value> {
    let url = Url::parse(text).ok().filter(|url| url.scheme() == "gid" && url.has_host())?;
    let (model, id) = url.path().strip_prefix('/')?.split_once('/')?;
    if model.is_empty() || id.is_empty() {
        return None;
    }
    let id = percent_decode_str(&id.replace('+', " ")).decode_utf8().ok()?.into_owned();
    let is_number = id.bytes().all(|digit| digit.is_ascii_digit());
    Some(id.parse::<u64>().ok().filter(|_| is_number).map_or(Value::String(id), Value::from))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(arguments: &Value) -> Result<Vec<Value>, JobFailure> {
        super::arguments(&[json!({"job_class": "A", "arguments": arguments})])
    }

    #[test]
    fn a_record_is_its_id() {
        let record = |id: &str| json!({ "_aj_globalid": id });
        for (id, expected) in [
            ("gid://forge/Project/42", json!(42)),
            ("gid://my-forge/Projects::Mirror/42?tenant=a", json!(42)),
            ("gid://forge/Project/007", json!(7)),
            ("gid://forge/Project/5b2f7a9e-0000", json!("5b2f7a9e-0000")),
            ("gid://forge/Project/a%2Fb+c", json!("a/b c")),
            ("gid://forge/Project/1/2", json!("1/2")),
            ("gid://forge/Project/99999999999999999999", json!("99999999999999999999")),
        ] {
            assert_eq!(of(&json!([record(id)])).unwrap(), [expected], "{id}");
        }
        for id in
            ["gid://forge/Project", "gid://forge/Project/", "gid:///Project/1", "http://forge/Project/1", "42", ""]
        {
            let failure = of(&json!([record(id)])).unwrap_err();
            assert_eq!(failure.error_class, "ActiveJob::DeserializationError", "{id}");
        }
        assert!(of(&json!([{ "_aj_globalid": 42 }])).is_err());
    }

    #[test]
    fn other_arguments_lose_only_what_tells_ruby_their_kind() {
        let arguments = json!([
            1, "x", null, 1.5, [{"_aj_globalid": "gid://f/P/1"}],
            {"_aj_serialized": "ActiveJob::Serializers::SymbolSerializer", "value": "now"},
            {"_aj_serialized": "Forge::RangeSerializer", "from": 1},
            {"force": true, "at": {"_aj_globalid": "gid://f/P/2", "_aj_symbol_keys": []}, "_aj_symbol_keys": ["force"]},
            {"a": 1, "_aj_ruby2_keywords": ["a"]},
            {"b": 2, "_aj_hash_with_indifferent_access": true},
        ]);
        let expected = json!([
            1, "x", null, 1.5, [1], "now",
            {"_aj_serialized": "Forge::RangeSerializer", "from": 1},
            {"force": true, "at": {"_aj_globalid": "gid://f/P/2"}},
            {"a": 1},
            {"b": 2},
        ]);
        assert_eq!(Value::from(of(&arguments).unwrap()), expected);
        for odd in [json!({}), json!(null)] {
            assert_eq!(of(&odd).unwrap_err().error_class, "ArgumentError");
        }
        assert!(super::arguments(&[]).is_err());
    }
}
