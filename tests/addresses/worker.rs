//! The same through the whole program: what an operator configures and a mirror's owner is told.
