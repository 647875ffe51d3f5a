//! Prompt with its answer, and the model and transcoder of the trace.

use crate::text;
use crate::tui::state::State;
use crate::tui::ui::Pen;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

pub(in crate::tui) fn render(state: &State, area: Rect, buf: &mut Buffer) {
    let (theme, glyphs) = (&state.screen.look.theme, &state.screen.look.glyphs);
    let line = Rect { x: area.x + 1, width: area.width.saturating_sub(2), ..area };
    let (prompt, answer) = match &state.workspace.circuit {
        Some(circuit) => {
            let answer = circuit.answer().and_then(|node| circuit.node(node).logit());
            let answer = answer.map(|logit| (glyphs.visible(&logit.text), format!("{:.3}", logit.probability)));
            (circuit.traced.document.origin.prompt.as_str(), answer)
        }
        None => (state.workspace.busy.as_ref().map_or("", |busy| busy.prompt.as_str()), None),
    };
    let names = names(state);
    let answer_width = answer.as_ref().map_or(0, |(token, probability)| {
        text::width(token) + text::width(probability) + text::width(glyphs.answers) + 3
    });
    let prompt = glyphs.visible(prompt);
    let tab = state.workspace.tabs.place().map_or_else(String::new, |(at, n)| {
        // Sign of work for a graph that is not on the screen.
        let elsewhere =
            if state.workspace.tabs.is_busy() { glyphs.spinner[state.screen.ticks % glyphs.spinner.len()] } else { "" };
        format!("{at}/{n}{elsewhere} ")
    });
    let on = state.workspace.circuit.as_ref().map_or(0, |circuit| {
        circuit.edits.now().interventions.list.iter().filter(|intervention| !intervention.muted).count()
    });
    let on = if on == 0 { String::new() } else { format!("{} on ", text::counted(on, "intervention")) };
    let unsaved = if state.sessions.unsaved.is_empty() { "" } else { "not saved " };
    let room = usize::from(line.width)
        .saturating_sub(answer_width + text::width(&tab) + text::width(&on) + text::width(unsaved));
    // The names give way first: they change least.
    let with_names = text::width(&prompt) + text::width(&names) + 4 <= room;

    let mut pen = Pen::new(buf, line, 0);
    pen.put(unsaved, theme.alert);
    pen.put(&tab, theme.accent);
    pen.put(&on, theme.alert);
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
    let (model, transcoder, device) = match (&state.workspace.circuit, &state.jobs.services.tracer) {
        (Some(circuit), _) => {
            let made_from = &circuit.traced.document.origin;
            (made_from.model.clone(), made_from.transcoder.clone(), made_from.device.clone())
        }
        (None, Some(tracer)) => (tracer.model_name(), tracer.transcoder_name(), String::new()),
        (None, None) => return String::new(),
    };
    let glyphs = &state.screen.look.glyphs;
    let names = format!("{} {} {}", glyphs.visible(&model), glyphs.dot, glyphs.visible(&transcoder));
    // The CPU is not named where there is no other device.
    if device.is_empty() || (device == "cpu" && !cfg!(any(feature = "cuda", feature = "metal"))) {
        return names;
    }
    format!("{names} {} {}", glyphs.dot, glyphs.visible(&device))
}
