//! What a mirror's run may take, handed to the rooms that count it.

use crate::git;
use crate::mirror::limits::{Limit, Limits};
use crate::net::{Allowance, Deadline};

/// What it may take from the network, from now on.
pub fn allowance(limits: &Limits) -> Allowance {
    Allowance {
        deadline: Deadline::after(limits.time(Limit::Run)),
        received: limits.get(Limit::Received),
        listing: limits.get(Limit::Listing),
        stall: Some(limits.time(Limit::Stall)),
    }
}

/// What it may bring into a repository.
pub fn transfer(limits: &Limits) -> git::Limits {
    git::Limits {
        refs: usize::try_from(limits.get(Limit::Refs)).unwrap_or(usize::MAX),
        pack_objects: limits.get(Limit::PackObjects),
        growth: limits.get(Limit::Growth),
        object: limits.get(Limit::Object),
        in_process: limits.get(Limit::InProcess),
        child_memory: limits.get(Limit::ChildMemory),
        child_cpu: limits.time(Limit::ChildCpu),
    }
}
