//! Keys that show themselves: the hint line, the menu, the help with the guide; and keys that hands know from elsewhere.

use crate::desk::Desk;
use crate::fake::made_up;
use circuitscope::format::raw;
use circuitscope::graph::Token;
use circuitscope::tui::keymap::Keymap;
use circuitscope::tui::keymap::command::all_commands;
use circuitscope::tui::panes::graph;
use circuitscope::tui::workspace::circuit::Circuit;
use std::sync::Arc;

const OAKLAND: &str = "fact : the capital of the state containing Oakland is";

fn circuit(desk: &Desk) -> &Circuit {
    desk.state.workspace.circuit.as_ref().unwrap()
}

fn hint_line(desk: &Desk) -> String {
    desk.screen().lines().last().unwrap().to_owned()
}

#[test]
fn the_first_screen_names_what_matters_in_order_of_use() {
    let line = hint_line(&Desk::traced((120, 36)));
    let mut from = 0;
    for hint in ["move", "jump", "I intervene", "V verify", "P paths", "| compare", "x export", "Space menu", "? keys"]
    {
        let at = line[from..].find(hint).unwrap_or_else(|| panic!("{hint} does not come next in {line}"));
        from += at + hint.len();
    }
    let line = hint_line(&Desk::traced((60, 20)));
    assert!(line.contains("Space menu") && line.contains("q leave"), "{line}");
}

#[test]
fn the_menu_names_commands_by_task_and_runs_them() {
    for size in [(160, 48), (120, 35), (80, 24)] {
        let mut desk = Desk::traced(size);
        desk.press("Space");
        for entry in ["Test", "I intervene", "V verify an edge", "P paths", "| compare two", "x export", "q leave"] {
            desk.expect(entry);
        }
        desk.press("Esc");
        assert!(!desk.shows("compare two") && !desk.quit);
        assert_eq!(desk.state.screen.focus, graph::PANE);
        desk.press("Space x").expect("export");
        assert!(!desk.state.dialogs.is_empty());
    }
    // Where there is no room for all of it, it works all the same; and in every pane.
    let mut desk = Desk::traced((40, 10));
    desk.press("Space |").expect("compare");
    let mut desk = Desk::traced((160, 48));
    desk.press("Tab Tab Tab Space M").expect("models");
    desk.press("Esc Space j").expect("Space j does nothing here");
    desk.press("Space e g").expect("name of the supernode");
}

#[test]
fn help_is_at_hand_in_every_dialog_and_leads_back_to_it() {
    let mut desk = Desk::traced((160, 48));
    desk.go_to_feature().press("I ?");
    let screen = desk.screen();
    let at = |text: &str| screen.find(text).unwrap_or_else(|| panic!("{text} is not there:\n{screen}"));
    assert!(at("To the next intervention") < at("Walk the circuit"));
    desk.press("Esc").expect("mode: free");
    // Where a line is written, ? is a character of it.
    desk.press("Esc i ?").expect("is?");
    desk.press("F1").expect("Trace this prompt");
    desk.press("Esc").expect("is?");
    desk.press("Esc s ?").expect("Only contexts in which a text stands").expect("Contexts, a line further");
}

#[test]
fn what_is_read_meanwhile_reaches_the_dialog_below_the_help() {
    let mut desk = Desk::traced((160, 48));
    desk.press_only("i");
    desk.press_only("F1");
    desk.settle();
    desk.press("Esc").expect("11 tokens");
}

#[test]
fn the_guide_is_read_from_the_help() {
    let mut desk = Desk::traced((120, 36));
    desk.press("? Enter").expect("walk a circuit on the screen").expect("every key");
    desk.press("j j Enter").expect("layer:");
    let top = desk.screen();
    desk.press("Ctrl-d");
    assert_ne!(desk.screen(), top);
    desk.press("g");
    assert_eq!(desk.screen(), top);
    // A letter leads to a page at once.
    desk.press("q").press("a").expect("Walk a circuit on the screen");
    desk.press("Esc Esc Esc");
    assert!(desk.state.dialogs.is_empty());
    desk.press("?").type_text("perplexing").expect("nothing does that");
    desk.press("Ctrl-u").type_text("which heads carry").press("Enter").expect("attention");
    desk.press("q Esc Esc");
    assert!(desk.state.dialogs.is_empty() && !desk.quit);
}

#[test]
fn the_list_of_commands_leaves_out_what_only_moves() {
    let mut desk = Desk::traced((160, 48));
    desk.press(":").type_text("move-left");
    assert!(!desk.shows("To the node on the left"), "{}", desk.screen());
    desk.press("Esc Ctrl-p").type_text("row-down");
    assert!(!desk.shows("To the next connection"), "{}", desk.screen());
}

#[test]
fn what_is_typed_replaces_a_short_answer_unless_the_cursor_moved() {
    let mut desk = Desk::traced((160, 48));
    desk.press("t").type_text("0.6").press("Enter").expect("threshold 0.60");
    desk.press("t End Backspace Enter");
    assert_eq!(circuit(&desk).edits.now().thresholds.edge, 0.9, "of 0.98 the last digit was erased");
    desk.press("t Backspace").type_text("0.7 0.98").press("Enter").expect("threshold 0.70");
    desk.go_to_feature().press("v e g").type_text("one").press("Enter").expect("Made the supernode one");
    desk.press("e n").type_text("two").press("Enter").expect("is called two");
    desk.press("e n Left").type_text("x").press("Enter").expect("is called twxo");
    desk.press("I Enter").type_text("x3").press("Enter").expect("scale by 3");
}

#[test]
fn a_prompt_opens_beside_the_graph_that_was_there() {
    let mut desk = Desk::traced((160, 48));
    desk.press("1 p i Ctrl-w Ctrl-w").type_text("Oakland is").press("Enter");
    desk.expect("2/2").expect(OAKLAND);
    desk.press("{").expect("1/2").expect("containing Dallas is").expect("pins 1");
    // The same again is turned to, and not opened twice.
    desk.press("i Ctrl-w Ctrl-w").type_text("Oakland is").press("Enter").expect("2/2").expect("open already");
    // What brings nothing leaves nothing behind.
    desk.state.jobs.services.tracer = Some(Arc::new(crate::prompts::Falls));
    desk.press("i").type_text(" code").press("Enter").expect("on purpose").expect("2/2").expect(OAKLAND);
}

#[test]
fn earlier_prompts_are_recalled_where_nothing_was_typed() {
    let mut desk = Desk::traced((160, 48));
    desk.press("i Ctrl-w Ctrl-w").type_text("Oakland is").press("Enter");
    desk.press("i").expect(OAKLAND);
    let line = |desk: &Desk| desk.cells("containing Dallas is  ").len();
    desk.press("Up");
    assert!(line(&desk) > 0);
    desk.press("Down Up Ctrl-u Up");
    assert!(line(&desk) > 0, "there is nothing older");
    desk.type_text(" x").press("Down").expect("containing Dallas is x");
    desk.press("Ctrl-u Up Enter").expect("1/2");
}

#[test]
fn a_second_ctrl_c_offers_to_leave() {
    let mut desk = Desk::traced((160, 48));
    desk.press("Ctrl-c j Ctrl-c");
    assert!(desk.state.dialogs.is_empty(), "another key came between");
    desk.press("Ctrl-c").expect("Leave the program?");
    desk.press("q");
    assert!(desk.state.dialogs.is_empty() && !desk.quit);
    desk.press("Ctrl-c Ctrl-c y");
    assert!(desk.quit);
}

#[test]
fn a_key_without_a_command_says_so_once() {
    let mut desk = Desk::traced((160, 48));
    desk.press("Ctrl-x").expect("Ctrl-x does nothing here");
    desk.press("Ctrl-x");
    assert!(!desk.shows("does nothing here"));
    desk.press("Z").expect("Z does nothing here");
    desk.press("e Z").expect("e Z does nothing here");
}

#[test]
fn commands_go_by_the_short_names_of_other_programs() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("other graph.safetensors");
    let tokens = ["<bos>", "a"].iter().zip(0..).map(|(text, id)| Token { id, text: (*text).to_owned() }).collect();
    raw::write(&path, &made_up("the other", tokens, 3, 3.0, 7)).unwrap();
    let mut desk = Desk::traced((160, 48));
    desk.press(":").type_text("w").press("Enter").expect("saved as you go");
    desk.press(":").type_text("open nowhere.json").press("Enter").expect("There is no file nowhere.json");
    desk.press(":").type_text(&format!("e {}", path.display())).press("Enter").expect("2/2 the other");
    desk.press("{ O").type_text("nowhere.json").press("Enter").expect("There is no file nowhere.json");
    desk.press("Ctrl-u").type_text(path.to_str().unwrap()).press("Enter").expect("2/2 the other");
    desk.press(":").type_text("q").press("Enter");
    assert!(desk.quit);
}

/// Keys that lead to each dialog in which no line is written.
const DIALOGS: &str = "P G P, I, V, V Tab, S, S Enter, W, |, M, s, B, e p, ? Enter, Ctrl-c Ctrl-c";

#[test]
fn q_and_esc_are_alike_where_no_line_is_written() {
    for keys in DIALOGS.split(", ") {
        let screens = ["q", "Esc"].map(|key| {
            let mut desk = Desk::traced((160, 48));
            desk.go_to_feature().press(keys);
            assert!(!desk.state.dialogs.is_empty(), "{keys}");
            desk.press(key);
            assert!(!desk.quit, "{keys} {key}");
            desk.press("Ctrl-l").screen()
        });
        assert_eq!(screens[0], screens[1], "{keys}");
    }
}

#[test]
fn lists_scroll_by_the_keys_of_pagers() {
    let mut desk = Desk::traced((160, 48));
    desk.press("Tab Ctrl-d");
    assert_eq!(circuit(&desk).connections.row, 10);
    desk.press("Ctrl-f Ctrl-b Ctrl-u");
    assert_eq!(circuit(&desk).connections.row, 0);
    desk.press("G g g");
    assert_eq!(circuit(&desk).connections.row, 0);
    // Wherever a list moves by a page, it does by these, and to its ends.
    for command in all_commands().filter(|command| command.keys.contains(&"PageDown")) {
        let typed = command.context.reaches(circuitscope::tui::keymap::Context::TEXT);
        assert_eq!(command.keys.contains(&"Ctrl-d") && command.keys.contains(&"Ctrl-f"), !typed, "{}", command.name);
    }
}

#[test]
fn keys_that_were_changed_are_named_wherever_keys_are() {
    let mut desk = Desk::traced((160, 48));
    let (keymap, faults) = Keymap::read("verify = \"Q\"\nmenu = [\"F2\"]\n");
    assert_eq!(faults, Vec::<String>::new());
    desk.state.screen.keymap = Arc::new(keymap);
    desk.expect("Q verify").expect("F2 menu");
    desk.press("V").expect("V does nothing here");
    desk.press("F2").expect("Q verify an edge");
    desk.press("Q").expect("[edge]");
    desk.press("Esc ?").type_text("Is it true").expect("Q  Is it true?");
    desk.press("Esc Esc :").type_text("verify").expect("Q │");
}
