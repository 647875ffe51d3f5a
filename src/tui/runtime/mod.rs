//! The program as it runs: the loop, the terminal with its events, messages and effects, jobs, and the savers of sessions.

mod background;
pub mod clipboard;
pub mod diff_backend;
pub mod effect;
mod event;
pub mod guard;
pub mod jobs;
pub mod message;
pub mod run;
pub mod sessions;
pub mod terminal;
pub mod update;

pub use effect::Effect;
pub use jobs::{JobKey, RequestId};
pub use message::Msg;
