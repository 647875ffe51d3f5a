//! What the screen shows for a state and some keys.

mod anything;
mod bytes;
mod compare;
mod copying;
mod desk;
mod edits;
mod exporting;
mod fake;
mod features;
mod filters;
mod finding;
mod groups;
mod growing;
mod interventions;
mod looks;
mod models;
mod mouse;
mod panes;
mod paths;
mod prompts;
mod readme;
mod sessions;
mod tabs;
mod truth;
mod walks;
mod why;
