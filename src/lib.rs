//! sidemirror keeps a Rails forge's repository mirrors up to date.

pub mod connections;
pub mod git;
pub mod mirror;
pub mod net;
pub mod sidekiq;
