//! The domain, pure: pull and push mirrors, refs and their changes, states, times and plans. Plain values in and
//! out; no I/O and no clock of its own.

pub mod refs;
