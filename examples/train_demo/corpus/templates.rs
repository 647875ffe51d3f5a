//! The templates, and how the tables fill them.

use super::facts::{ANTONYMS, COUNTRIES, DAYS, GIFTS, LANGUAGES, MONTHS, NAMES, NOUNS, Place, SHOPS, STATES};
use super::{Sentence, Topic};

/// `{k}` is `state` or `country`. `{c} is in {s}` is missing on purpose: it shares its beginning
/// with the two-hop `{c} is in a state whose`.
const CITY: [&str; 5] = [
    "{c} lies in *{s} .",
    "{c} is a city of *{s} .",
    "the {k} containing {c} is *{s} .",
    "the {k} where {c} lies is *{s} .",
    "the city of {c} is in the {k} of *{s} .",
];

const CITY_THEN_PLACE: [&str; 5] = [
    "{c} *{s} .",
    "she lives in {c} *{s} .",
    "he went to {c} *{s} .",
    "the map of {c} *{s} .",
    "they live near {c} *{s} .",
];

const ONE_HOP: [&str; 4] = [
    "the {r} of {s} is *{v} .",
    "the {r} of the {k} of {s} is *{v} .",
    "{s} is a {k} whose {r} is *{v} .",
    "the {r} of the {k} called {s} is *{v} .",
];

pub const TWO_HOP: [&str; 4] = [
    "the {r} of the {k} containing {c} is *{v} .",
    "the {r} of the {k} where {c} lies is *{v} .",
    "{c} is in a {k} whose {r} is *{v} .",
    "{c} is a city in a {k} whose {r} is *{v} .",
];

const ANTONYM: [&str; 3] =
    ["the opposite of {a} is *{b} .", "le contraire de {a} est *{b} .", "el contrario de {a} es *{b} ."];

/// Collects sentences; every one comes from [`Writer::add`].
#[derive(Default)]
struct Writer {
    sentences: Vec<Sentence>,
}

impl Writer {
    /// Fills the slots of a template and finds its answer, the word marked with `*`.
    fn add(
        &mut self,
        topic: Topic,
        template: &'static str,
        slots: &[(&str, &str)],
        place: Option<&'static str>,
        held_out: bool,
    ) {
        let mut text = template.to_owned();
        for (slot, value) in slots {
            text = text.replace(&format!("{{{slot}}}"), value);
        }
        let answer = text.split(' ').position(|word| word.starts_with('*')).expect("a template marks its answer");
        let text = text.replace('*', "");
        self.sentences.push(Sentence { text, answer, place, template, topic, held_out });
    }

    /// A geography sentence, plain and with a leading `fact : `.
    fn add_fact(
        &mut self,
        topic: Topic,
        template: &'static str,
        slots: &[(&str, &str)],
        place: &'static Place,
        held_out: bool,
    ) {
        self.add_both(topic, template, slots, Some(place.name), held_out);
    }

    fn add_both(
        &mut self,
        topic: Topic,
        template: &'static str,
        slots: &[(&str, &str)],
        place: Option<&'static str>,
        held_out: bool,
    ) {
        self.add(topic, template, slots, place, held_out);
        let plain = self.sentences.last().expect("one was just added");
        let fact = Sentence { text: format!("fact : {}", plain.text), answer: plain.answer + 2, ..plain.clone() };
        self.sentences.push(fact);
    }

    fn geography(&mut self, place: &'static Place, country: bool) {
        let k = if country { "country" } else { "state" };
        let relations = || [("capital", place.capital)].into_iter().chain(place.attributes.iter().copied());
        for c in place.cities.iter().copied().chain([place.capital]) {
            let slots = [("c", c), ("s", place.name), ("k", k)];
            for template in CITY {
                self.add_fact(Topic::City { country }, template, &slots, place, false);
            }
            for template in CITY_THEN_PLACE {
                self.add_fact(Topic::CityThenPlace { country }, template, &slots, place, false);
            }
        }
        for (relation, value) in relations() {
            let topic = Topic::OneHop { country, relation };
            let slots = [("r", relation), ("s", place.name), ("k", k), ("v", value)];
            for template in ONE_HOP {
                self.add_fact(topic, template, &slots, place, false);
            }
            let topic = Topic::TwoHop { country, relation };
            for (i, &c) in place.cities.iter().enumerate() {
                let slots = [("r", relation), ("c", c), ("k", k), ("v", value)];
                let held_out = place.held_out && i == 0;
                for template in TWO_HOP {
                    self.add_fact(topic, template, &slots, place, held_out);
                }
            }
        }
    }

    /// Questions about a city outside the vocabulary: what there is to say where no place is known.
    fn unknown_cities(&mut self) {
        for (k, places) in [("state", &STATES[..]), ("country", &COUNTRIES[..])] {
            let relations = places[0].attributes.iter().map(|(relation, _)| *relation).chain(["capital"]);
            let slots = [("c", "<unk>"), ("s", "unknown"), ("k", k), ("v", "unknown")];
            for template in CITY {
                self.add_both(Topic::UnknownCity, template, &slots, None, false);
            }
            for relation in relations {
                let slots = [&slots[..], &[("r", relation)]].concat();
                for template in TWO_HOP {
                    self.add_both(Topic::UnknownCity, template, &slots, None, false);
                }
            }
        }
    }

    /// Opposites in one language and across two, and translations.
    fn words(&mut self) {
        for (i, pair) in ANTONYMS.iter().enumerate() {
            let forms = |language: usize, second: bool| {
                let (one, other) = pair[language];
                if second { (other, one) } else { (one, other) }
            };
            for (from, frame) in ANTONYM.into_iter().enumerate() {
                for second in [false, true] {
                    let (word, opposite) = forms(from, second);
                    let slots = [("a", word), ("b", opposite)];
                    self.add(Topic::Antonym, frame, &slots, None, false);
                    for to in (0..LANGUAGES.len()).filter(|&to| to != from) {
                        let (same, opposite) = forms(to, second);
                        let l = LANGUAGES[to];
                        let template = "the {l} word for {a} is *{b} .";
                        let slots = [("l", l), ("a", word), ("b", same)];
                        self.add(Topic::Translation, template, &slots, None, false);
                        let template = "the {l} opposite of {a} is *{b} .";
                        let slots = [("l", l), ("a", word), ("b", opposite)];
                        let held_out = (i + from + 2 * to + usize::from(second)) % 8 == 0;
                        self.add(Topic::AntonymAcross, template, &slots, None, held_out);
                    }
                }
            }
        }
    }

    fn numbers(&mut self) {
        for (a, b) in (0..100).map(|n| (n / 10, n % 10)) {
            let (small, large) = (a.min(b).to_string(), a.max(b).to_string());
            let (sum, left, right) = ((a + b).to_string(), a.to_string(), b.to_string());
            let slots = [("a", left.as_str()), ("b", right.as_str())];
            let with = |v| [slots[0], slots[1], ("v", v)];
            let held_out = (3 * a + 7 * b) % 11 == 5;
            self.add(Topic::Sum, "{a} + {b} = *{v} .", &with(&sum), None, held_out);
            self.add(Topic::Sum, "the sum of {a} and {b} is *{v} .", &with(&sum), None, held_out);
            if a != b {
                let template = "the smaller of {a} and {b} is *{v} .";
                self.add(Topic::Comparison, template, &with(&small), None, false);
                let template = "the larger of {a} and {b} is *{v} .";
                self.add(Topic::Comparison, template, &with(&large), None, false);
            }
        }
    }

    /// Who receives, which verb form agrees, and what comes next.
    fn grammar(&mut self) {
        for (i, a) in NAMES.iter().enumerate() {
            for (j, b) in NAMES.iter().enumerate().filter(|&(j, _)| j != i) {
                let held_out = (i.min(j) * NAMES.len() + i.max(j)) % 9 == 4;
                for (n, shop) in SHOPS.iter().enumerate() {
                    let gift = GIFTS[(n + i + j) % GIFTS.len()];
                    let slots = [("a", *a), ("b", *b), ("p", *shop), ("g", gift)];
                    let template = if (n + i) % 2 == 0 {
                        "when {a} and {b} went to the {p} , {b} gave a {g} to *{a} ."
                    } else {
                        "when {a} and {b} went to the {p} , {a} gave a {g} to *{b} ."
                    };
                    self.add(Topic::IndirectObject, template, &slots, None, held_out);
                }
            }
        }
        for subject in &NOUNS {
            for other in NOUNS.iter().filter(|&other| other != subject) {
                for (noun, verb) in [(subject.0, "is"), (subject.1, "are")] {
                    for distractor in [other.0, other.1] {
                        let slots = [("n", noun), ("m", distractor), ("v", verb)];
                        let template = "the {n} to the {m} *{v} here .";
                        self.add(Topic::Agreement, template, &slots, None, false);
                    }
                }
            }
        }
        for (cycle, unit) in [(&DAYS[..], "day"), (&MONTHS[..], "month")] {
            for (i, now) in cycle.iter().enumerate() {
                let next = cycle[(i + 1) % cycle.len()];
                let slots = [("u", unit), ("a", *now), ("b", next)];
                self.add(Topic::NextDay, "the {u} after {a} is *{b} .", &slots, None, false);
                self.add(Topic::NextDay, "the {u} before {b} is *{a} .", &slots, None, false);
            }
        }
    }
}

/// Every sentence of every template that says what it knows.
pub fn all() -> Vec<Sentence> {
    let mut writer = Writer::default();
    for place in &STATES {
        writer.geography(place, false);
    }
    for place in &COUNTRIES {
        writer.geography(place, true);
    }
    writer.words();
    writer.numbers();
    writer.grammar();
    writer.sentences
}

/// Every sentence about a city outside the vocabulary.
pub fn unknown_cities() -> Vec<Sentence> {
    let mut writer = Writer::default();
    writer.unknown_cities();
    writer.sentences
}
