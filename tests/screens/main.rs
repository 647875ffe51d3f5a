//! What the screen shows for a state and some keys.

mod bytes;
mod desk;
mod fake;
mod readme;
