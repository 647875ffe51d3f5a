//! Gestures of the mouse that the program uses.

/// Gesture of the mouse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gesture {
    /// The left button goes down.
    Press,
    /// The mouse moves while the button is down.
    Drag,
    /// The button is let go.
    Release,
    /// The wheel turns away from the user.
    WheelUp,
    /// The wheel turns towards the user.
    WheelDown,
}

/// Gesture of the mouse, and its cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mouse {
    /// The gesture.
    pub gesture: Gesture,
    /// Column of the cell.
    pub x: u16,
    /// Line of the cell.
    pub y: u16,
}
