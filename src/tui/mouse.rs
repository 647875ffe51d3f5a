//! The mouse, as far as anything here is done with it.

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gesture {
    /// The left button goes down.
    Press,
    /// The mouse moves while the button is down.
    Drag,
    /// The button is let go.
    Release,
    /// The wheel turns away from the person.
    WheelUp,
    /// The wheel turns towards the person.
    WheelDown,
}

/// Something done with the mouse, and in which cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mouse {
    /// What is done.
    pub gesture: Gesture,
    /// The cell's column.
    pub x: u16,
    /// The cell's line.
    pub y: u16,
}
