//! Effects of the state on the terminal.

/// Effect on the terminal, or on the program itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Takes the mouse, or leaves it to the terminal.
    Mouse(bool),
    /// Puts a text into the terminal's clipboard.
    Copy(String),
    /// Gives the terminal back and stops the program until continued.
    Suspend,
    /// Draws everything, whatever the screen is thought to show.
    Redraw,
    /// Leaves the program.
    Quit,
}
