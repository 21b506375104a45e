//! What is always in Redis, whatever store the mirrors live in: who owns a run, which slots are taken,
//! which hosts are spared, who schedules.

pub mod capacity;
pub mod hosts;
pub mod lease;
pub mod run;
