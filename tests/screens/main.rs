//! What the screen shows for a state and some keys.

mod anything;
mod bytes;
mod desk;
mod edits;
mod fake;
mod filters;
mod finding;
mod groups;
mod looks;
mod models;
mod mouse;
mod panes;
mod paths;
mod prompts;
mod readme;
mod walks;
