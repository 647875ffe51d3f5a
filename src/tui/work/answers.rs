//! What has come of the work.

use super::{Workers, lock};
use crate::tui::message::Msg;

impl Workers {
    /// The answers that are there.
    pub fn answers(&mut self) -> Vec<Msg> {
        let mut answers = Vec::new();
        while let Some((generation, result)) = self.trace.take(&self.wake) {
            // What there was on the way to it no longer matters.
            self.growing.take_if(|growing| growing.generation == generation);
            answers.push(Msg::Traced { generation, result });
        }
        while let Some((generation, result)) = self.open.take(&self.wake) {
            answers.push(Msg::Traced { generation, result });
        }
        if let Some(growing) = &self.growing
            && let Some(traced) = lock(&growing.newest).take()
        {
            answers.push(Msg::Grown { generation: growing.generation, traced: Box::new(traced) });
        }
        while let Some((generation, result)) = self.prune.take(&self.wake) {
            answers.push(Msg::Pruned { generation, result });
        }
        while let Some((generation, result)) = self.weigh.take(&self.wake) {
            answers.push(Msg::Weighed { generation, result });
        }
        while let Some(((generation, layer, feature), result)) = self.promoted.take(&self.wake) {
            answers.push(Msg::Promoted { generation, layer, feature, result });
        }
        while let Some((generation, result)) = self.reading.take(&self.wake) {
            answers.push(Msg::Read { generation, result });
        }
        while let Some((generation, result)) = self.find.take(&self.wake) {
            answers.push(Msg::Found { generation, result });
        }
        while let Some((generation, result)) = self.propose.take(&self.wake) {
            answers.push(Msg::Proposed { generation, result });
        }
        while let Some((generation, result)) = self.paths.take(&self.wake) {
            answers.push(Msg::Paths { generation, result });
        }
        while let Some((generation, result)) = self.remember.take(&self.wake) {
            let result = result.and_then(|(remembered, file)| {
                self.sessions.begin(generation, file, &self.wake)?;
                Ok(Box::new(remembered))
            });
            answers.push(Msg::Remembered { generation, result });
        }
        answers.extend(self.sessions.answers());
        while let Some((generation, result)) = self.export.take(&self.wake) {
            answers.push(Msg::Exported { generation, result });
        }
        while let Some((generation, result)) = self.filter.take(&self.wake) {
            answers.push(Msg::Sifted { generation, result });
        }
        while let Some((set, result)) = self.library.take(&self.wake) {
            answers.push(Msg::Library { set, result });
        }
        while let Some((generation, result)) = self.look_up.take(&self.wake) {
            answers.push(Msg::LookedUp { generation, result });
        }
        while let Some(((generation, set, feature), result)) = self.read.take(&self.wake) {
            answers.push(Msg::Feature { generation, set, feature, result });
        }
        while let Some((generation, result)) = self.browse.take(&self.wake) {
            answers.push(Msg::Browsed { generation, result });
        }
        while let Some((generation, result)) = self.missing.take(&self.wake) {
            answers.push(Msg::Missing { generation, result });
        }
        if let Some((generation, arrived)) = &self.arriving {
            let names = std::mem::take(&mut *lock(arrived));
            answers.extend((!names.is_empty()).then_some(Msg::Arrived { generation: *generation, names }));
        }
        while let Some((generation, result)) = self.fetch.take(&self.wake) {
            answers.push(Msg::FeaturesFetched { generation, result });
        }
        while let Some((set, result)) = self.allow.take(&self.wake) {
            answers.push(Msg::HubAllowed { set, result });
        }
        while let Some((generation, result)) = self.measure.take(&self.wake) {
            answers.push(Msg::Measured { generation, result });
        }
        if let Some((generation, newest)) = &self.trying
            && let Some(reply) = lock(newest).take()
        {
            answers.push(Msg::ModelReply { generation: *generation, result: Ok(reply) });
        }
        while let Some((generation, result)) = self.attempt.take(&self.wake) {
            answers.push(Msg::ModelReply { generation, result });
        }
        while let Some((generation, result)) = self.explain.take(&self.wake) {
            answers.push(Msg::Explained { generation, result });
        }
        while let Some((generation, result)) = self.compare.take(&self.wake) {
            answers.push(Msg::Compared { generation, result });
        }
        if let Some((generation, newest)) = &self.checking
            && let Some(answer) = lock(newest).take()
        {
            answers.push(Msg::Checked { generation: *generation, result: Ok(answer), ends: false });
        }
        while let Some((generation, result)) = self.check.take(&self.wake) {
            // What there was on the way to it no longer matters.
            self.checking.take_if(|(of, _)| *of == generation);
            answers.push(Msg::Checked { generation, result, ends: true });
        }
        while let Some((generation, result)) = self.stand.take(&self.wake) {
            answers.push(Msg::Stability { generation, result });
        }
        while let Some((generation, result)) = self.errand.take(&self.wake) {
            answers.push(Msg::Errand { generation, result });
        }
        answers
    }
}
