//! Background work of the screen: threads for long work, and the savers of sessions.

pub mod jobs;
pub mod sessions;
