//! Orders that stood when Redis lost its data: what one process knows of them is written back, so that a loss does not
//! do what nobody ordered.
//!
//! Which words they were given with is not known any more. An order that somebody has given meanwhile is left as it is.

use super::switches::order;
use crate::connections::RedisError;
use crate::sidekiq::engine::Engine;

const REASON: &str = "written back after Redis had lost its data; it stood before";

/// Writes them back, and names them in words for the log.
pub(in crate::sidekiq) async fn write_back(engine: &Engine) -> Result<Vec<String>, RedisError> {
    let keys = &engine.settings.keys;
    let (mut names, mut write) = (Vec::new(), redis::pipe());
    {
        let state = engine.orders.0.borrow();
        if state.paused {
            names.push("pause".to_owned());
            write.cmd("SET").arg(keys.pause()).arg(order(Some(REASON))).arg("NX");
        }
        for class in &state.off {
            names.push(format!("{class} switched off"));
            write.cmd("HSETNX").arg(keys.switched_off()).arg(class).arg(order(Some(REASON)));
        }
    }
    if names.is_empty() {
        return Ok(names);
    }
    // An order that may not be written must not keep the jobs in hand from being believed in.
    write.ignore_errors();
    let answers: Vec<redis::RedisResult<redis::Value>> = engine.redis.pipeline(&write).await?;
    let mut written = Vec::new();
    for (name, answer) in names.into_iter().zip(answers) {
        match answer.map_err(|refusal| engine.redis.refused(refusal)) {
            Ok(_) => written.push(name),
            Err(refusal) if refusal.is_outage() => return Err(refusal),
            Err(refusal) => engine.outage.failed("writing back an order", &refusal),
        }
    }
    Ok(written)
}
