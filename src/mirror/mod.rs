//! The domain, pure: pull and push mirrors, refs and their changes, states, times and plans. Plain values in and
//! out; no I/O and no clock of its own.

pub mod branches;
pub mod capacity;
pub mod engine;
pub mod hosts;
pub mod key;
pub mod limits;
pub mod pull_plan;
pub mod push_plan;
pub mod reach;
pub mod record;
pub mod refs;
pub mod state;
pub mod timing;
