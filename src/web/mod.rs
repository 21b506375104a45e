//! What can be asked over HTTP: metrics and health.

pub mod health;
pub mod metrics;
mod server;
pub mod watch;

pub use server::serve;
