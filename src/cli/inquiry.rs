//! Why features fire or do not, as the full-screen program asks it, on the model of this process.

use crate::attribution::{Engine, Probe, firing};
use crate::cli::lab::Bench;
use crate::graph::FeatureAt;
use crate::job::Monitor;
use crate::tui::inquiry::{Inquiry, LISTED, Reply, Search};
use anyhow::Result;

impl Bench {
    pub fn inquire(&self, engine: &Engine, asked: &Inquiry, monitor: &Monitor) -> Result<Reply> {
        let base = self.baseline(engine, &asked.tokens, monitor)?;
        let probe = Probe::of(engine, base.capture.clone(), monitor)?;
        let listed = match &asked.search {
            None => None,
            Some(Search { position, fires_in }) => {
                let fires = match fires_in {
                    None => None,
                    Some(other) => {
                        let others = engine.read(other)?;
                        Some(firing(&Probe::new(engine, &others, monitor)?, &asked.tokens, &others))
                    }
                };
                let is_wanted = |at: FeatureAt| {
                    position.is_none_or(|position| at.position == position)
                        && fires.as_ref().is_none_or(|fires| fires.contains(&at))
                };
                Some(probe.closest(LISTED, is_wanted, monitor)?)
            }
        };
        let first = listed.iter().flatten().next().map(|inactive| inactive.at);
        let why = asked.about.or(first).map(|at| probe.why(at, monitor)).transpose()?;
        Ok(Reply { listed, why, ..Reply::default() })
    }
}
