//! What the commands do, by what they do it to.

mod answer;
mod edits;
mod filter;
mod find;
mod group;
mod learn;
mod lists;
mod marks;
mod models;
mod mouse;
mod paths;
mod program;
mod prompt;
mod subgraph;
mod tree;
mod walk;

pub(super) use crate::tui::arrange::Step;
pub(super) use crate::tui::circuit::{Listed, Side};
pub(super) use answer::*;
pub(super) use edits::*;
pub(super) use filter::*;
pub(super) use find::*;
pub(super) use group::*;
pub(super) use learn::*;
pub(super) use lists::*;
pub(super) use marks::*;
pub use models::open_models;
pub(super) use models::*;
pub(super) use mouse::*;
pub(super) use paths::*;
pub(super) use program::*;
pub(super) use prompt::*;
pub use prompt::{start_chat, start_open, start_trace};
pub(super) use subgraph::*;
pub(super) use tree::*;
pub(super) use walk::*;
