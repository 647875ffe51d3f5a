//! What the screen shows for a state and some keys.

mod anything;
mod bytes;
mod desk;
mod edits;
mod fake;
mod finding;
mod groups;
mod looks;
mod panes;
mod prompts;
mod readme;
mod walks;
