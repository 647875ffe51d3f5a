//! What the commands do, by what they do it to.

mod answer;
mod edits;
mod find;
mod group;
mod lists;
mod marks;
mod program;
mod prompt;
mod tree;
mod walk;

pub(super) use crate::tui::arrange::Step;
pub(super) use crate::tui::circuit::{Listed, Side};
pub(super) use answer::*;
pub(super) use edits::*;
pub(super) use find::*;
pub(super) use group::*;
pub(super) use lists::*;
pub(super) use marks::*;
pub(super) use program::*;
pub(super) use prompt::*;
pub use prompt::{start_open, start_trace};
pub(super) use tree::*;
pub(super) use walk::*;
