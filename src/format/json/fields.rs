//! The fields of a graph JSON, as loosely typed as the programs that write it have made them.

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, SeqAccess, Unexpected, Visitor};
use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

/// Text, borrowed from the file unless it has escapes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Text<'a>(pub Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextVisitor)
    }
}

/// Visitor that takes numbers for texts too: some writers have layers and ids as numbers.
struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Text<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Text(Cow::Borrowed(text)))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Text(Cow::Owned(text.to_owned())))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Self::Value, E> {
        Ok(Text(Cow::Owned(number.to_string())))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Self::Value, E> {
        Ok(Text(Cow::Owned(number.to_string())))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Self::Value, E> {
        Ok(Text(Cow::Owned(number.to_string())))
    }
}

/// A whole number. Writers that know only one kind of number may write `12.0`, and some write numbers as texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Whole(pub i128);

impl<'de> Deserialize<'de> for Whole {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct WholeVisitor;

        impl Visitor<'_> for WholeVisitor {
            type Value = Whole;

            fn visit_str<E: Error>(self, text: &str) -> Result<Whole, E> {
                text.trim().parse().map(Whole).map_err(|_| E::invalid_value(Unexpected::Str(text), &self))
            }

            fn visit_i128<E: Error>(self, number: i128) -> Result<Whole, E> {
                Ok(Whole(number))
            }

            fn visit_u128<E: Error>(self, number: u128) -> Result<Whole, E> {
                i128::try_from(number).map(Whole).map_err(|_| E::custom("a number of more than 127 bits"))
            }

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a whole number")
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<Whole, E> {
                Ok(Whole(number.into()))
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<Whole, E> {
                Ok(Whole(number.into()))
            }

            fn visit_f64<E: Error>(self, number: f64) -> Result<Whole, E> {
                // Above this a double no longer tells neighbouring whole numbers apart.
                let exact = number.fract() == 0.0 && number.abs() < 2f64.powi(53);
                if exact { Ok(Whole(number as i128)) } else { Err(E::invalid_value(Unexpected::Float(number), &self)) }
            }
        }

        deserializer.deserialize_any(WholeVisitor)
    }
}

/// A finite number in single precision, or the text of one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Number(pub f32);

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NumberVisitor;

        impl Visitor<'_> for NumberVisitor {
            type Value = Number;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number in the range of single precision")
            }

            fn visit_f64<E: Error>(self, number: f64) -> Result<Number, E> {
                let single = number as f32;
                if single.is_finite() {
                    Ok(Number(single))
                } else {
                    Err(E::invalid_value(Unexpected::Float(number), &self))
                }
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<Number, E> {
                Ok(Number(number as f32))
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<Number, E> {
                Ok(Number(number as f32))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Number, E> {
                let number = text.trim().parse::<f64>().map_err(|_| E::invalid_value(Unexpected::Str(text), &self))?;
                self.visit_f64(number)
            }
        }

        deserializer.deserialize_any(NumberVisitor)
    }
}

/// Ids: a list, or one text with commas between them.
#[derive(Debug, Default)]
pub(super) struct Listed(pub Vec<String>);

impl<'de> Deserialize<'de> for Listed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let list = match Loose::deserialize(deserializer)? {
            Loose::Nothing => Vec::new(),
            Loose::Text(text) => text.split(',').filter(|id| !id.is_empty()).map(str::to_owned).collect(),
            Loose::List(list) => list.into_iter().map(Loose::text).collect::<Result<_, _>>()?,
        };
        Ok(Self(list))
    }
}

/// Lists of texts, or a text that holds the JSON of them.
#[derive(Debug, Default)]
pub(super) struct Lists(pub Vec<Vec<String>>);

impl<'de> Deserialize<'de> for Lists {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let outer = match Loose::deserialize(deserializer)? {
            Loose::Nothing => Vec::new(),
            Loose::Text(text) if text.trim().is_empty() => Vec::new(),
            Loose::Text(text) => match serde_json::from_str(&text).map_err(D::Error::custom)? {
                Loose::Nothing => Vec::new(),
                Loose::List(list) => list,
                Loose::Text(_) => return Err(D::Error::custom("a text of a text, where lists are wanted")),
            },
            Loose::List(list) => list,
        };
        let inner = |list: Loose| match list {
            Loose::List(list) => list.into_iter().map(Loose::text).collect::<Result<Vec<_>, D::Error>>(),
            _ => Err(D::Error::custom("a list of lists is wanted")),
        };
        Ok(Self(outer.into_iter().map(inner).collect::<Result<_, _>>()?))
    }
}

/// A number, or the text of one.
#[derive(Debug, Default)]
pub(super) struct Threshold(pub Option<f64>);

impl<'de> Deserialize<'de> for Threshold {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = match Loose::deserialize(deserializer)? {
            Loose::Nothing => return Ok(Self(None)),
            Loose::Text(text) if text.is_empty() => return Ok(Self(None)),
            other => other.text()?,
        };
        match text.parse() {
            Ok(share) if (0.0..=1.0).contains(&share) => Ok(Self(Some(share))),
            _ => Err(D::Error::custom(format_args!("the threshold {text:?} is no number from 0 to 1"))),
        }
    }
}

/// A text, a number as a text, a list, or null. Its depth is bounded by serde_json.
enum Loose {
    Nothing,
    Text(String),
    List(Vec<Loose>),
}

impl Loose {
    fn text<E: Error>(self) -> Result<String, E> {
        match self {
            Self::Text(text) => Ok(text),
            Self::Nothing => Err(E::custom("null, where a text is wanted")),
            Self::List(_) => Err(E::custom("a list, where a text is wanted")),
        }
    }
}

impl<'de> Deserialize<'de> for Loose {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct LooseVisitor;

        impl<'de> Visitor<'de> for LooseVisitor {
            type Value = Loose;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text or a list")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Loose, E> {
                Ok(Loose::Text(text.to_owned()))
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<Loose, E> {
                Ok(Loose::Text(number.to_string()))
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<Loose, E> {
                Ok(Loose::Text(number.to_string()))
            }

            fn visit_f64<E: Error>(self, number: f64) -> Result<Loose, E> {
                Ok(Loose::Text(number.to_string()))
            }

            fn visit_unit<E: Error>(self) -> Result<Loose, E> {
                Ok(Loose::Nothing)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Loose, A::Error> {
                let mut list = Vec::new();
                while let Some(item) = seq.next_element()? {
                    list.push(item);
                }
                Ok(Loose::List(list))
            }
        }

        deserializer.deserialize_any(LooseVisitor)
    }
}

/// Reader of a JSON list, item by item, that does not keep it.
pub(super) struct Each<T, F> {
    what: &'static str,
    take: F,
    item: PhantomData<T>,
}

impl<T, F: FnMut(usize, T) -> Result<(), String>> Each<T, F> {
    /// Creates the reader. `what` names the list in messages; `take` gets the items with their indices.
    pub fn new(what: &'static str, take: F) -> Self {
        Self { what, take, item: PhantomData }
    }
}

impl<'de, T, F> DeserializeSeed<'de> for Each<T, F>
where
    T: Deserialize<'de>,
    F: FnMut(usize, T) -> Result<(), String>,
{
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de, T, F> Visitor<'de> for Each<T, F>
where
    T: Deserialize<'de>,
    F: FnMut(usize, T) -> Result<(), String>,
{
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the list `{}`", self.what)
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut seq: A) -> Result<(), A::Error> {
        let mut at = 0;
        while let Some(item) = seq.next_element()? {
            (self.take)(at, item).map_err(|wrong| A::Error::custom(format_args!("{}[{at}]: {wrong}", self.what)))?;
            at += 1;
        }
        Ok(())
    }
}
