//! What is always in Redis, whatever store the mirrors live in: who owns a run, which slots are taken, who
//! schedules.

pub mod capacity;
pub mod lease;
pub mod run;
