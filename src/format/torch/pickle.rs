//! A machine that runs pickles without calling anything.
//!
//! Values lie in one list and refer to each other by their index in it, so that neither sharing nor depth costs more
//! than the pickle is long.

use std::collections::HashMap;

/// Index of a value in [`Pickle`].
pub(super) type Ref = usize;

/// A value that a pickle makes.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value<'a> {
    None,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(&'a str),
    /// Bytes, or a number too large for 64 bits.
    Opaque,
    Tuple(Vec<Ref>),
    List(Vec<Ref>),
    Dict(Vec<(Ref, Ref)>),
    /// A class or function: module and name.
    Global(&'a str, &'a str),
    /// Result of calling `callable` with `arguments`, and the state that it would be given then.
    Call {
        callable: Ref,
        arguments: Ref,
        state: Option<Ref>,
    },
    /// Object outside the pickle, by its identifier.
    Outside(Ref),
}

/// Result of running a pickle.
#[derive(Debug)]
pub(super) struct Pickle<'a> {
    values: Vec<Value<'a>>,
    /// Value that the pickle returns.
    pub top: Ref,
}

impl<'a> Pickle<'a> {
    /// Runs a pickle.
    ///
    /// # Errors
    /// Fails where it is broken, and says how and at which byte.
    pub fn run(bytes: &'a [u8]) -> Result<Self, String> {
        let mut machine = Machine { bytes, at: 0, values: Vec::new(), stack: Vec::new(), memo: HashMap::new() };
        loop {
            let start = machine.at;
            match machine.step() {
                Ok(None) => {}
                Ok(Some(top)) => return Ok(Self { values: machine.values, top }),
                Err(wrong) => return Err(format!("byte {start} of its pickle: {wrong}")),
            }
        }
    }

    pub fn get(&self, at: Ref) -> &Value<'a> {
        &self.values[at]
    }

    /// Returns the entry of a dict; of several the last, as in Python.
    pub fn entry(&self, dict: Ref, key: &str) -> Option<Ref> {
        let Value::Dict(entries) = self.get(dict) else { return None };
        let is_key = |(at, _): &&(Ref, Ref)| matches!(self.get(*at), Value::Text(text) if *text == key);
        entries.iter().rev().find(is_key).map(|(_, value)| *value)
    }

    /// Returns an attribute of an object whose state is a dict, or a pair of which the second is one.
    pub fn attribute(&self, object: Ref, name: &str) -> Option<Ref> {
        let Value::Call { state: Some(state), .. } = *self.get(object) else { return None };
        self.entry(state, name).or_else(|| match self.get(state) {
            Value::Tuple(parts) => parts.iter().find_map(|part| self.entry(*part, name)),
            _ => None,
        })
    }

    pub fn text(&self, at: Ref) -> Option<&'a str> {
        match self.get(at) {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    pub fn int(&self, at: Ref) -> Option<i64> {
        match self.get(at) {
            Value::Int(number) => Some(*number),
            _ => None,
        }
    }

    /// Returns the items of a list or tuple.
    pub fn items(&self, at: Ref) -> Option<&[Ref]> {
        match self.get(at) {
            Value::List(items) | Value::Tuple(items) => Some(items),
            _ => None,
        }
    }
}

struct Machine<'a> {
    bytes: &'a [u8],
    at: usize,
    values: Vec<Value<'a>>,
    /// Stack of values; `None` is a mark.
    stack: Vec<Option<Ref>>,
    memo: HashMap<u32, Ref>,
}

impl<'a> Machine<'a> {
    /// Runs one instruction; returns the value of the pickle after the last.
    fn step(&mut self) -> Result<Option<Ref>, String> {
        let [code] = self.array()?;
        match code {
            // Protocol and frame say nothing that is needed.
            0x80 => drop(self.array::<1>()?),
            0x95 => drop(self.array::<8>()?),
            b'N' => self.push(Value::None),
            0x88 => self.push(Value::Bool(true)),
            0x89 => self.push(Value::Bool(false)),
            b'J' => self.int(|b: [u8; 4]| i32::from_le_bytes(b).into())?,
            b'K' => self.int(|[b]: [u8; 1]| b.into())?,
            b'M' => self.int(|b: [u8; 2]| u16::from_le_bytes(b).into())?,
            0x8a => {
                let length = self.length::<1>()?;
                self.long(length)?;
            }
            0x8b => {
                let length = self.length::<4>()?;
                self.long(length)?;
            }
            b'G' => {
                let number = f64::from_be_bytes(self.array()?);
                self.push(Value::Float(number));
            }
            0x8c => self.unicode::<1>()?,
            b'X' => self.unicode::<4>()?,
            0x8d => self.unicode::<8>()?,
            b'C' => self.opaque::<1>()?,
            b'B' => self.opaque::<4>()?,
            0x8e => self.opaque::<8>()?,
            b'(' => self.stack.push(None),
            b'0' => drop(self.stack.pop()),
            b'1' => drop(self.pop_to_mark()?),
            b'2' => {
                let top = self.top()?;
                self.stack.push(Some(top));
            }
            b')' => self.push(Value::Tuple(Vec::new())),
            0x85 => self.tuple(1)?,
            0x86 => self.tuple(2)?,
            0x87 => self.tuple(3)?,
            b't' => {
                let items = self.pop_to_mark()?;
                self.push(Value::Tuple(items));
            }
            b']' | 0x8f => self.push(Value::List(Vec::new())),
            b'l' | 0x91 => {
                let items = self.pop_to_mark()?;
                self.push(Value::List(items));
            }
            b'a' => {
                let item = self.pop()?;
                self.extend(vec![item])?;
            }
            b'e' | 0x90 => {
                let items = self.pop_to_mark()?;
                self.extend(items)?;
            }
            b'}' => self.push(Value::Dict(Vec::new())),
            b'd' => {
                let items = self.pop_to_mark()?;
                self.push(Value::Dict(pairs(&items)?));
            }
            b's' => {
                let (value, key) = (self.pop()?, self.pop()?);
                self.set(vec![(key, value)])?;
            }
            b'u' => {
                let items = self.pop_to_mark()?;
                self.set(pairs(&items)?)?;
            }
            b'c' => {
                let (module, name) = (self.line()?, self.line()?);
                self.push(Value::Global(module, name));
            }
            0x93 => {
                let (name, module) = (self.pop()?, self.pop()?);
                match (&self.values[module], &self.values[name]) {
                    (Value::Text(module), Value::Text(name)) => self.push(Value::Global(module, name)),
                    _ => return Err("a class is named by what is no text".into()),
                }
            }
            b'R' | 0x81 => {
                let (arguments, callable) = (self.pop()?, self.pop()?);
                self.push(Value::Call { callable, arguments, state: None });
            }
            0x92 => {
                let (_named, arguments, callable) = (self.pop()?, self.pop()?, self.pop()?);
                self.push(Value::Call { callable, arguments, state: None });
            }
            b'b' => {
                let (state, object) = (self.pop()?, self.top()?);
                match &mut self.values[object] {
                    Value::Call { state: own, .. } => *own = Some(state),
                    _ => return Err("a state is given to what is no object".into()),
                }
            }
            b'Q' => {
                let id = self.pop()?;
                self.push(Value::Outside(id));
            }
            b'q' => self.memoize::<1>()?,
            b'r' => self.memoize::<4>()?,
            0x94 => {
                let (next, top) = (self.memo.len() as u32, self.top()?);
                self.memo.insert(next, top);
            }
            b'h' => self.recall::<1>()?,
            b'j' => self.recall::<4>()?,
            b'.' => return self.pop().map(Some),
            other => return Err(format!("instruction {other:#04x} is not known")),
        }
        Ok(None)
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], String> {
        let part = self.at.checked_add(length).and_then(|end| self.bytes.get(self.at..end));
        self.at = self.at.saturating_add(length);
        part.ok_or_else(|| "the pickle ends in the middle".into())
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], String> {
        let mut own = [0; N];
        own.copy_from_slice(self.take(N)?);
        Ok(own)
    }

    fn length<const N: usize>(&mut self) -> Result<usize, String> {
        let mut wide = [0; 8];
        wide[..N].copy_from_slice(self.take(N)?);
        usize::try_from(u64::from_le_bytes(wide)).map_err(|_| "a length is out of range".into())
    }

    fn line(&mut self) -> Result<&'a str, String> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let length = rest.iter().position(|byte| *byte == b'\n').ok_or("the pickle ends in the middle")?;
        let line = self.take(length)?;
        self.take(1)?;
        std::str::from_utf8(line).map_err(|_| "a name is not UTF-8".into())
    }

    fn push(&mut self, value: Value<'a>) {
        self.stack.push(Some(self.values.len()));
        self.values.push(value);
    }

    fn pop(&mut self) -> Result<Ref, String> {
        self.stack.pop().flatten().ok_or_else(|| "there is no value to take".into())
    }

    fn top(&self) -> Result<Ref, String> {
        self.stack.last().copied().flatten().ok_or_else(|| "there is no value".into())
    }

    fn pop_to_mark(&mut self) -> Result<Vec<Ref>, String> {
        let mark = self.stack.iter().rposition(Option::is_none).ok_or("there is no mark")?;
        let items = self.stack.split_off(mark);
        Ok(items.into_iter().flatten().collect())
    }

    fn int<const N: usize>(&mut self, number: fn([u8; N]) -> i64) -> Result<(), String> {
        let number = number(self.array()?);
        self.push(Value::Int(number));
        Ok(())
    }

    fn long(&mut self, length: usize) -> Result<(), String> {
        let bytes = self.take(length)?;
        let negative = bytes.last().is_some_and(|byte| *byte >= 0x80);
        let mut wide = [if negative { 0xff } else { 0 }; 8];
        let value = match wide.get_mut(..length) {
            Some(part) => {
                part.copy_from_slice(bytes);
                Value::Int(i64::from_le_bytes(wide))
            }
            None => Value::Opaque,
        };
        self.push(value);
        Ok(())
    }

    fn unicode<const N: usize>(&mut self) -> Result<(), String> {
        let length = self.length::<N>()?;
        let text = std::str::from_utf8(self.take(length)?).map_err(|_| "a text is not UTF-8")?;
        self.push(Value::Text(text));
        Ok(())
    }

    fn opaque<const N: usize>(&mut self) -> Result<(), String> {
        let length = self.length::<N>()?;
        self.take(length)?;
        self.push(Value::Opaque);
        Ok(())
    }

    fn tuple(&mut self, length: usize) -> Result<(), String> {
        let mut items = (0..length).map(|_| self.pop()).collect::<Result<Vec<_>, _>>()?;
        items.reverse();
        self.push(Value::Tuple(items));
        Ok(())
    }

    fn extend(&mut self, more: Vec<Ref>) -> Result<(), String> {
        let list = self.top()?;
        match &mut self.values[list] {
            Value::List(items) => items.extend(more),
            _ => return Err("items are added to what is no list".into()),
        }
        Ok(())
    }

    fn set(&mut self, more: Vec<(Ref, Ref)>) -> Result<(), String> {
        let dict = self.top()?;
        match &mut self.values[dict] {
            Value::Dict(entries) => entries.extend(more),
            // An ordered dict is an object with entries; none that is needed is one.
            Value::Call { .. } => {}
            _ => return Err("entries are added to what is no dict".into()),
        }
        Ok(())
    }

    fn memoize<const N: usize>(&mut self) -> Result<(), String> {
        let (key, top) = (self.length::<N>()?, self.top()?);
        self.memo.insert(key as u32, top);
        Ok(())
    }

    fn recall<const N: usize>(&mut self) -> Result<(), String> {
        let key = self.length::<N>()?;
        let value = self.memo.get(&(key as u32)).copied().ok_or_else(|| format!("nothing is known as {key}"))?;
        self.stack.push(Some(value));
        Ok(())
    }
}

fn pairs(items: &[Ref]) -> Result<Vec<(Ref, Ref)>, String> {
    if !items.len().is_multiple_of(2) {
        return Err("a key has no value".into());
    }
    Ok(items.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect())
}
