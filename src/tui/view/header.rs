//! Prompt with its answer, and the model and transcoder of the trace.

use super::Pen;
use crate::graph::NodeKind;
use crate::text;
use crate::tui::app::State;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

pub(super) fn render(state: &State, area: Rect, buf: &mut Buffer) {
    let (theme, glyphs) = (&state.look.theme, &state.look.glyphs);
    let line = Rect { x: area.x + 1, width: area.width.saturating_sub(2), ..area };
    let (prompt, answer) = match &state.circuit {
        Some(circuit) => {
            let answer = circuit.answer().and_then(|node| match &circuit.node(node).kind {
                NodeKind::Logit { probability, text, .. } => Some((glyphs.visible(text), format!("{probability:.3}"))),
                _ => None,
            });
            (circuit.traced.document.origin.prompt.as_str(), answer)
        }
        None => (state.busy.as_ref().map_or("", |busy| busy.prompt.as_str()), None),
    };
    let names = names(state);
    let answer_width = answer.as_ref().map_or(0, |(token, probability)| {
        text::width(token) + text::width(probability) + text::width(glyphs.answers) + 3
    });
    let prompt = glyphs.visible(prompt);
    let tab = state.tabs.place().map_or_else(String::new, |(at, n)| {
        // Sign of work for a graph that is not on the screen.
        let elsewhere = if state.tabs.is_busy() { glyphs.spinner[state.ticks % glyphs.spinner.len()] } else { "" };
        format!("{at}/{n}{elsewhere} ")
    });
    let unsaved = if state.unsaved.is_empty() { "" } else { "not saved " };
    let room = usize::from(line.width).saturating_sub(answer_width + text::width(&tab) + text::width(unsaved));
    // The names give way first: they change least.
    let with_names = text::width(&prompt) + text::width(&names) + 4 <= room;

    let mut pen = Pen::new(buf, line, 0);
    pen.put(unsaved, theme.alert);
    pen.put(&tab, theme.accent);
    pen.put(&text::truncate_start(&prompt, room, glyphs.ellipsis), theme.text);
    if let Some((token, probability)) = answer {
        pen.put(&format!(" {} ", glyphs.answers), theme.quiet);
        pen.put(&token, theme.strong);
        pen.put(" ", theme.text);
        pen.put(&probability, theme.quiet);
    }
    if with_names {
        let gap = pen.room().saturating_sub(text::width(&names));
        pen.skip(gap as u16);
        pen.put(&names, theme.quiet);
    }
}

fn names(state: &State) -> String {
    let (model, transcoder, device) = match (&state.circuit, &state.jobs.services.tracer) {
        (Some(circuit), _) => {
            let made_from = &circuit.traced.document.origin;
            (made_from.model.clone(), made_from.transcoder.clone(), made_from.device.clone())
        }
        (None, Some(tracer)) => (tracer.model_name(), tracer.transcoder_name(), String::new()),
        (None, None) => return String::new(),
    };
    let glyphs = &state.look.glyphs;
    let names = format!("{} {} {}", glyphs.visible(&model), glyphs.dot, glyphs.visible(&transcoder));
    // The CPU is not named where there is no other device.
    if device.is_empty() || (device == "cpu" && !cfg!(any(feature = "cuda", feature = "metal"))) {
        return names;
    }
    format!("{names} {} {}", glyphs.dot, glyphs.visible(&device))
}
