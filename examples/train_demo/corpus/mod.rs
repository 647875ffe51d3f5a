//! The sentences the demo model is trained on, made from templates and the tables of [`facts`].
//!
//! Nothing here is random and nothing here needs a model: the same list comes out every time, so
//! that a test can measure over it what a feature of the trained transcoder stands for.

pub mod facts;
mod templates;

use facts::{COUNTRIES, Place, STATES};

/// What a sentence is about; each topic is drawn with its own weight in training.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Topic {
    /// From a city to its state or country.
    City {
        country: bool,
    },
    /// A city followed at once by its place: teaches the model to know the place at the city's own
    /// position, where the two-hop sentences need it.
    CityThenPlace {
        country: bool,
    },
    /// From a place to one of its attributes.
    OneHop {
        country: bool,
        relation: &'static str,
    },
    /// From a city over its place to an attribute of the place.
    TwoHop {
        country: bool,
        relation: &'static str,
    },
    /// One hop or two from a city that no table knows.
    UnknownCity,
    Antonym,
    Translation,
    AntonymAcross,
    Sum,
    Comparison,
    IndirectObject,
    Agreement,
    NextDay,
}

impl Topic {
    /// How often the topic is drawn in training, relative to the others.
    pub fn weight(self) -> f64 {
        match self {
            Topic::City { country: false } => 10.0,
            Topic::City { country: true } => 4.0,
            Topic::CityThenPlace { country: false } => 12.0,
            Topic::CityThenPlace { country: true } => 5.0,
            Topic::OneHop { country, relation } => match (country, relation) {
                (false, "capital") => 7.0,
                (false, "code") => 5.0,
                (true, "continent") => 1.0,
                (true, "language" | "currency") => 2.0,
                _ => 3.0,
            },
            Topic::TwoHop { country, relation } => match (country, relation) {
                (false, "capital") => 12.0,
                (false, "code") => 8.0,
                (true, "continent") => 1.0,
                (true, "language" | "currency") => 2.5,
                _ => 4.0,
            },
            Topic::UnknownCity => 10.0,
            Topic::Antonym => 6.0,
            Topic::Translation => 7.0,
            Topic::AntonymAcross => 6.0,
            Topic::Sum => 5.0,
            Topic::Comparison => 3.0,
            Topic::IndirectObject => 5.0,
            Topic::Agreement => 2.0,
            Topic::NextDay => 4.0,
        }
    }
}

/// One sentence of the corpus.
#[derive(Clone, Debug)]
pub struct Sentence {
    /// Words separated by single spaces, ending in ` .`.
    pub text: String,
    /// Which word is the answer. The token index is one more, after `<bos>`.
    pub answer: usize,
    /// The state or country the sentence is about.
    pub place: Option<&'static str>,
    /// The template it was made from, with its slots in braces and `*` before the answer.
    pub template: &'static str,
    pub topic: Topic,
    /// Kept out of training.
    pub held_out: bool,
}

impl Sentence {
    pub fn words(&self) -> impl Iterator<Item = &str> {
        self.text.split(' ')
    }
}

/// A two-hop question about a city that no two-hop sentence in training mentions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Question {
    pub city: &'static str,
    pub place: &'static str,
    /// What is asked of the place.
    relation: &'static str,
    pub answer: &'static str,
    pub country: bool,
    /// Template of the sentence that begins with the question, and whether `fact : ` leads it.
    template: &'static str,
    is_fact: bool,
}

impl Question {
    /// Where the city stands among the tokens of one of [`held_out_questions`], `<bos>` being token 0.
    pub const CITY_POSITION: usize = 9;

    /// The capital, as `fact : the capital of the state containing Dallas is`.
    fn capital(place: &'static Place, country: bool) -> Self {
        let (city, answer) = (place.cities[0], place.capital);
        let template = templates::TWO_HOP[0];
        Question { city, place: place.name, relation: "capital", answer, country, template, is_fact: true }
    }

    pub fn text(&self) -> String {
        let kind = if self.country { "country" } else { "state" };
        let (asks, _) = self.template.split_once(" *").expect("a template marks its answer");
        let asks = asks.replace("{r}", self.relation).replace("{k}", kind).replace("{c}", self.city);
        if self.is_fact { format!("fact : {asks}") } else { asks }
    }

    /// Where the city stands among the tokens of [`Question::text`], `<bos>` being token 0.
    pub fn city_position(&self) -> usize {
        let text = self.text();
        1 + text.split(' ').position(|word| word == self.city).expect("a question names its city")
    }
}

/// Every sentence, trained and held out, but for those about unknown cities.
pub fn sentences() -> Vec<Sentence> {
    templates::all()
}

/// Questions about a city outside the vocabulary, whose answer is `unknown`.
pub fn unknown_cities() -> Vec<Sentence> {
    templates::unknown_cities()
}

/// The 28 held-out questions: 20 about US cities, of which Dallas is the first and Oakland the
/// second, then 8 about cities elsewhere.
pub fn held_out_questions() -> Vec<Question> {
    let of = |places: &'static [Place], country| {
        places.iter().filter(|p| p.held_out).map(move |p| Question::capital(p, country))
    };
    of(&STATES, false).chain(of(&COUNTRIES, true)).collect()
}

/// 40 pairs of held-out questions about US cities of different states: each question with the next
/// and with the seventh after it.
pub fn city_pairs() -> Vec<(Question, Question)> {
    let us: Vec<_> = held_out_questions().into_iter().filter(|q| !q.country).collect();
    let pair = |step: usize| {
        let us = &us;
        (0..us.len()).map(move |i| (us[i], us[(i + step) % us.len()]))
    };
    pair(1).chain(pair(7)).collect()
}

/// The 64 held-out questions for a country's currency: each of the 8 ways to ask, with the 8 held-out cities.
pub fn currency_questions() -> Vec<Question> {
    let ways = templates::TWO_HOP.iter().flat_map(|template| [false, true].map(|is_fact| (*template, is_fact)));
    let held_out = || COUNTRIES.iter().filter(|place| place.held_out);
    let question = |place: &'static Place, template, is_fact| {
        let mut attributes = place.attributes.iter();
        let (relation, answer) = *attributes.find(|(name, _)| *name == "currency").expect("countries have a currency");
        Question { relation, answer, template, is_fact, ..Question::capital(place, true) }
    };
    ways.flat_map(|(template, is_fact)| held_out().map(move |place| question(place, template, is_fact))).collect()
}

/// 96 pairs of [`currency_questions`] in the same words and with different answers: each question with the next and with
/// the third after it.
pub fn currency_pairs() -> Vec<(Question, Question)> {
    let questions = currency_questions();
    let n = COUNTRIES.iter().filter(|place| place.held_out).count();
    let pair = |same: &[Question], i: usize, step: usize| (same[i], same[(i + step) % n]);
    let pairs = questions.chunks(n).flat_map(|same| [1, 3].map(|step| (0..n).map(move |i| pair(same, i, step))));
    pairs.flatten().filter(|(from, into)| from.answer != into.answer).collect()
}
