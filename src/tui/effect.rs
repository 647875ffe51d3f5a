//! What the state wants done to the terminal.

/// Something to be done to the terminal, or to the program itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Takes the mouse, or leaves it to the terminal.
    Mouse(bool),
    /// Puts a text into the terminal's clipboard.
    Copy(String),
    /// Gives the terminal back and stops until continued.
    Suspend,
    /// Draws everything, whatever the screen is thought to show.
    Redraw,
    /// Leaves.
    Quit,
}
