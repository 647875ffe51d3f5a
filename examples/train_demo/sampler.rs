//! Draws sentences by the weights of their topics.

use std::collections::BTreeMap;

use anyhow::Result;
use rand::Rng;
use rand::distr::Distribution;
use rand::distr::weighted::WeightedIndex;
use rand::rngs::StdRng;

use crate::corpus::{Sentence, Topic};
use crate::tokenizer::Vocabulary;

/// A tokenized sentence.
#[derive(Clone)]
pub struct Row {
    /// `<bos>`, the words, no end mark.
    pub tokens: Vec<u32>,
    /// Index of the answer in `tokens`.
    pub answer: usize,
}

impl Row {
    pub fn new(sentence: &Sentence, vocabulary: &Vocabulary) -> Result<Self> {
        let tokens = vocabulary.encode(&sentence.text)?;
        Ok(Row { tokens, answer: sentence.answer + 1 })
    }
}

/// The sentences that may be trained on, by topic.
pub struct Sampler {
    topics: Vec<Vec<Row>>,
    weights: WeightedIndex<f64>,
}

impl Sampler {
    pub fn new(sentences: &[Sentence], vocabulary: &Vocabulary) -> Result<Self> {
        let mut topics: BTreeMap<Topic, Vec<Row>> = BTreeMap::new();
        for sentence in sentences.iter().filter(|s| !s.held_out) {
            topics.entry(sentence.topic).or_default().push(Row::new(sentence, vocabulary)?);
        }
        let weights = WeightedIndex::new(topics.keys().map(|topic| topic.weight()))?;
        Ok(Sampler { topics: topics.into_values().collect(), weights })
    }

    /// Every sentence once.
    pub fn all(&self) -> Vec<Row> {
        self.topics.concat()
    }

    pub fn draw(&self, rng: &mut StdRng) -> &Row {
        let topic = &self.topics[self.weights.sample(rng)];
        &topic[rng.random_range(0..topic.len())]
    }
}
