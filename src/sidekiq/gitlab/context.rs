//! Where a job came from: the request, the user and the project that GitLab's log lines can be searched by.

use serde_json::Value;
use tracing::Span;

use crate::sidekiq::job::payload::Payload;

/// What every job that descends from one request has in common.
const CORRELATION: &str = "correlation_id";
/// What the fields of the context begin with.
const META: &str = "meta.";
/// The field that names who pushed the job.
pub(super) const CALLER: &str = "meta.caller_id";
/// The fields that are logged: the span of a job names each of them.
const LOGGED: [&str; 13] = [
    CORRELATION,
    CALLER,
    "meta.root_caller_id",
    "meta.user",
    "meta.user_id",
    "meta.project",
    "meta.root_namespace",
    "meta.organization_id",
    "meta.feature_category",
    "meta.related_class",
    "meta.remote_ip",
    "meta.client_id",
    "meta.job_id",
];
/// Characters of a value that are logged or passed on, and fields that are passed on.
const LONGEST: usize = 200;
const MOST: usize = 40;

/// Writes the context of a job into the span of its log lines, one line's worth of each.
pub(in crate::sidekiq) fn record(span: &Span, payload: &Payload) {
    // Most jobs elsewhere than in GitLab have none.
    if !payload.keys().any(|key| key == CORRELATION || key.starts_with(META)) {
        return;
    }
    for field in LOGGED {
        match payload.get::<Value>(field) {
            Some(Value::String(text)) => span.record(field, line(&text).as_str()),
            Some(Value::Number(number)) => span.record(field, number.to_string().as_str()),
            _ => continue,
        };
    }
}

/// The context that a job passes on to the jobs it pushes: its own, with its class as the caller.
pub(in crate::sidekiq) fn inherit(payload: &Payload, class: &str) -> Vec<(String, Value)> {
    let is_context = |key: &str| (key == CORRELATION || key.starts_with(META)) && key != CALLER;
    let mut fields: Vec<(String, Value)> = payload
        .keys()
        .filter(|key| is_context(key))
        .filter_map(|key| Some((key.to_owned(), payload.get::<Value>(key)?)))
        .filter(|(key, value)| key.len() <= LONGEST && is_short(value))
        .take(MOST)
        .collect();
    if !fields.is_empty() {
        fields.push((CALLER.to_owned(), class.into()));
    }
    fields
}

fn is_short(value: &Value) -> bool {
    match value {
        Value::String(text) => text.chars().count() <= LONGEST,
        other => other.is_number(),
    }
}

/// Foreign text made fit for one line of a log.
fn line(text: &str) -> String {
    text.chars()
        .take(LONGEST)
        .map(|letter| if letter.is_control() { char::REPLACEMENT_CHARACTER } else { letter })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_passes_its_context_on_and_names_itself_as_the_caller() {
        let payload = Payload::parse(format!(
            r#"{{"correlation_id":"c1","meta.user":"root","meta.user_id":1,"meta.caller_id":"POST /","meta.x":[1],
                "meta.y":"{}","jid":"j","metadata":"m"}}"#,
            "y".repeat(LONGEST + 1)
        ))
        .unwrap();
        let inherited = inherit(&payload, "AWorker");
        let expected: [(String, Value); 4] = [
            ("correlation_id".into(), "c1".into()),
            ("meta.user".into(), "root".into()),
            ("meta.user_id".into(), 1.into()),
            ("meta.caller_id".into(), "AWorker".into()),
        ];
        assert_eq!(inherited, expected);
        assert!(inherit(&Payload::parse(r#"{"jid":"j"}"#).unwrap(), "AWorker").is_empty());
    }
}
