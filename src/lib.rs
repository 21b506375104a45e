//! sidemirror keeps a Rails forge's repository mirrors up to date, in the place of its Ruby Sidekiq workers.
//!
//! # The life of a pull
//!
//! The forge pushes an `UpdateMirror` job into Redis with Ruby's Sidekiq, or our [`scheduler`] does so for mirrors
//! that are due. [`sidekiq`] fetches it and hands it to [`jobs`], where the story is told from top to bottom: load
//! the mirror from the [`store`], own its run through [`coordination`], list the far refs and stop if nothing
//! changed, fetch over [`net`] with [`git`], plan the changes in [`mirror`], apply them, and write down the result.
//!
//! # The rooms
//!
//! [`mirror`] is pure: values in, values out. [`connections`], [`net`] and [`sidekiq`] know nothing of mirrors.
//! [`git`] knows values, not states. Only [`jobs`] and the [`scheduler`] know all of these; [`cli`] and [`web`] sit
//! on top. `tests/rooms.rs` holds every `use` against these rules.

pub mod cli;
pub mod config;
pub mod connections;
pub mod coordination;
pub mod git;
pub mod jobs;
pub mod mirror;
pub mod net;
pub mod scheduler;
pub mod sidekiq;
pub mod store;
pub mod web;
