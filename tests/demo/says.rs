//! The demo's corpus: that it says what the demo is said to know, and that the tokenizer that is
//! checked in reads it.

use std::collections::HashSet;
use std::path::Path;

use crate::corpus::facts::{COUNTRIES, STATES};
use crate::corpus::{self, Question, Topic};
use circuitscope::hub::FileSource;
use circuitscope::tokens::Tokenizer;

#[test]
fn every_city_lies_in_one_place() {
    let mut seen = HashSet::new();
    for place in STATES.iter().chain(&COUNTRIES) {
        for city in place.cities.iter().chain([&place.capital]) {
            assert!(seen.insert(*city), "{city} occurs twice");
        }
    }
}

#[test]
fn answers_stand_before_the_full_stop_or_where_the_template_marks_them() {
    for sentence in corpus::sentences() {
        let words: Vec<&str> = sentence.text.split(' ').collect();
        assert_eq!(words.last(), Some(&"."), "{}", sentence.text);
        assert!(words.iter().all(|word| !word.is_empty() && !word.contains(['*', '{', '}'])), "{}", sentence.text);
        if sentence.topic != Topic::Agreement {
            assert_eq!(sentence.answer, words.len() - 2, "{}", sentence.text);
        }
    }
}

#[test]
fn held_out_cities_are_in_no_trained_sentence_of_two_hops() {
    let questions = corpus::held_out_questions();
    assert_eq!(questions.len(), 28);
    let held_out: HashSet<&str> = questions.iter().map(|question| question.city).collect();
    let two_hops = |topic| matches!(topic, Topic::TwoHop { .. });
    for sentence in corpus::sentences().iter().filter(|s| two_hops(s.topic)) {
        let about_held_out = sentence.text.split(' ').any(|word| held_out.contains(word));
        assert_eq!(about_held_out, sentence.held_out, "{}", sentence.text);
    }
}

#[test]
fn questions_are_the_beginnings_of_held_out_sentences() {
    let sentences = corpus::sentences();
    for question in corpus::held_out_questions() {
        let whole = format!("{} {} .", question.text(), question.answer);
        let sentence = sentences.iter().find(|s| s.text == whole).expect("the question is in the corpus");
        assert!(sentence.held_out);
        assert_eq!(sentence.place, Some(question.place));
        assert_eq!(whole.split(' ').nth(Question::CITY_POSITION - 1), Some(question.city));
    }
    let pairs = corpus::city_pairs();
    assert_eq!(pairs.len(), 40);
    assert!(pairs.iter().all(|(from, to)| from.place != to.place));
    assert_eq!((pairs[0].0.city, pairs[0].1.city), ("Dallas", "Oakland"));
}

#[test]
fn the_tokenizer_knows_every_word_and_puts_bos_in_front() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/demo/model");
    let tokenizer = Tokenizer::open(&FileSource::directory(&directory).unwrap()).unwrap();
    for sentence in corpus::sentences() {
        assert_eq!(tokenizer.unknown_words(&sentence.text).unwrap().len(), 0, "{}", sentence.text);
    }
    let tokens = tokenizer.read("fact : the capital of the state containing Dallas is").unwrap();
    let texts: Vec<&str> = tokens.iter().map(|token| token.text.as_str()).collect();
    let expected = ["<bos>", "fact", ":", "the", "capital", "of", "the", "state", "containing", "Dallas", "is"];
    assert_eq!(texts, expected);
    let unknown = tokenizer.unknown_words("the capital of the state containing Dalas is").unwrap();
    assert_eq!(unknown.len(), 1);
}
