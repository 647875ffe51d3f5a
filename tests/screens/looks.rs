//! Pictures, and colours where they carry meaning.

use crate::desk::Desk;
use circuitscope::text::glyph::Charset;
use circuitscope::tui::ui::theme::{Depth, Ground, Theme};
use insta::assert_snapshot;
use ratatui::style::Modifier;

#[test]
fn the_first_screen() {
    assert_snapshot!("first_160x48", Desk::traced((160, 48)).screen());
    assert_snapshot!("first_80x24", Desk::traced((80, 24)).screen());
}

#[test]
fn after_a_walk() {
    let mut desk = Desk::traced((160, 48));
    desk.press("2 p 1 Tab j");
    assert_snapshot!("walked_160x48", desk.screen());
    let mut desk = Desk::traced((80, 24));
    desk.press("2 1 Tab");
    assert_snapshot!("walked_80x24", desk.screen());
}

#[test]
fn popups() {
    let mut desk = Desk::traced((160, 48));
    desk.press("i").type_text(" Dalas");
    assert_snapshot!("prompt_160x48", desk.screen());
    desk.press("Esc ?");
    assert_snapshot!("help_160x48", desk.screen());
    let mut desk = Desk::traced((80, 24));
    desk.press("i").type_text(" Dalas");
    assert_snapshot!("prompt_80x24", desk.screen());
    desk.press("Esc ?");
    assert_snapshot!("help_80x24", desk.screen());
}

#[test]
fn keys_that_show_themselves() {
    let mut desk = Desk::traced((80, 24));
    desk.press("Space");
    assert_snapshot!("menu_80x24", desk.screen());
    desk.press("Esc ? Enter");
    assert_snapshot!("guide_80x24", desk.screen());
    desk.press("Esc Esc").go_to_feature().press("I");
    assert_snapshot!("interventions_80x24", desk.screen());
}

#[test]
fn in_ascii_alone() {
    let mut desk = Desk::traced_in((120, 36), Charset::Ascii);
    desk.press("2 1");
    assert!(desk.screen().is_ascii(), "{}", desk.screen());
    assert_snapshot!("ascii_120x36", desk.screen());
    desk.press("i").type_text(" Dalas");
    assert!(desk.screen().is_ascii(), "{}", desk.screen());
    desk.press("Esc ?");
    assert!(desk.screen().is_ascii(), "{}", desk.screen());
}

#[test]
fn too_small() {
    for size in [(39, 30), (100, 9), (20, 3), (1, 1)] {
        let desk = Desk::traced(size);
        assert!(!desk.shows("graph"), "{size:?}");
    }
    Desk::traced((30, 8)).expect("too small").expect("40x10 at least").expect("this is 30x8");
}

#[test]
fn the_selection_wears_the_accent() {
    let mut desk = Desk::traced((160, 48));
    let theme = desk.state.screen.look.theme.clone();
    let selected = desk.cells("◆ Austin");
    assert_eq!((selected[0].fg, selected[0].bg), (theme.selection.fg.unwrap(), theme.selection.bg.unwrap()));
    desk.press("Tab");
    let row = desk.cells("1 #");
    assert_eq!(row[0].bg, theme.selection.bg.unwrap(), "the row under the cursor too");
}

#[test]
fn signs_wear_their_colours() {
    let desk = Desk::traced((160, 70));
    let theme = &desk.state.screen.look.theme;
    let links = &desk.state.workspace.circuit.as_ref().unwrap().connections.inputs.kept;
    for link in links.iter().take(12) {
        let weight = circuitscope::text::weight(link.edge.weight);
        assert_eq!(desk.cells(&weight)[0].fg, theme.sign(link.edge.weight).fg.unwrap(), "{weight}");
    }
    assert!(links.iter().take(12).any(|link| link.edge.weight < 0.0), "both signs are on the screen");
}

#[test]
fn without_colour_the_selection_is_reversed_and_nothing_is_coloured() {
    let mut desk = Desk::traced((160, 48));
    desk.state.screen.look.theme = Theme::new(Depth::Mono, Ground::Dark);
    desk.press("1");
    let buffer = desk.buffer();
    let reset = ratatui::style::Color::Reset;
    assert!(buffer.content.iter().all(|cell| cell.fg == reset && cell.bg == reset));
    assert!(buffer.content.iter().any(|cell| cell.modifier.contains(Modifier::REVERSED)));
}

#[test]
fn unknown_words_stand_out() {
    let mut desk = Desk::traced((160, 48));
    desk.press("i").type_text(" Dalas");
    let alert = desk.state.screen.look.theme.alert;
    assert_eq!(desk.cells("\"Dalas\" is not")[0].fg, alert.fg.unwrap());
}

/// At the end of a row of the tree stands its whole share, however little room there is.
#[test]
fn no_number_is_cut_in_two() {
    for width in (60..=200).step_by(4) {
        let mut desk = Desk::traced((width, 48));
        desk.press("p 1 p o 1");
        let screen = desk.screen();
        for row in screen.lines().filter_map(|line| line.split('│').nth(1)).filter(|row| row.contains('▸')) {
            let last = row.split_whitespace().last().unwrap();
            assert!(last.ends_with('%') || last == "all" || row.contains(" of "), "{width}: {row}\n{screen}");
        }
        let totals = screen.lines().find(|line| line.contains("feat")).unwrap_or_default();
        let numbers = totals.split_whitespace().filter(|word| word.starts_with(['+', '-']));
        assert!(numbers.clone().all(|word| word.ends_with('%') || word.contains('.')), "{width}: {totals}");
    }
}
