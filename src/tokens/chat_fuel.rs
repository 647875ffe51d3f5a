//! Fuel costs for walks of a chat template through nested values.
//!
//! minijinja counts the steps of a template and the bytes that it makes, but it compares, prints and looks up nested
//! lists in one step, by recursion, and counts their outermost items alone: a list that is put into itself again and
//! again, or one whose items are the same list twice, forty times over, would overflow the stack, fill the memory, or
//! never end. In front of each instruction that walks its operands, a filter is inserted that walks them first: to a
//! limited depth, and on the template's fuel. It does so at each use, since a namespace may change in between, even
//! into one that holds itself.

use crate::tokens::chat::BYTES_A_FUEL;
use minijinja::machinery::{Instruction, Instructions, Token, tokenize};
use minijinja::syntax::SyntaxConfig;
use minijinja::value::ValueKind;
use minijinja::{Environment, Error, ErrorKind, State, Value};

/// Names of the filter that walks all operands, and of the one for two that are compared.
const WALKED: &str = "circuitscope.walked";
const COMPARED: &str = "circuitscope.compared";
/// Deepest nesting of lists and maps that are walked.
const DEEPEST: usize = 100;
/// Most pairs of tokens in one expression or statement, summed over all of them: the engine walks a part again for each
/// part that it is within. A hundred times those of the longest published template; one expression alone may have five
/// thousand tokens.
const MOST_PAIRS: usize = 1 << 24;
/// Id of a filter without a slot in the engine's cache.
const UNCACHED: u8 = u8::MAX;

/// Adds the filters that [`paid`] inserts into templates.
pub fn add_filters(environment: &mut Environment<'_>) {
    environment.add_filter(WALKED, walked);
    environment.add_filter(COMPARED, compared);
}

/// Refuses a template whose expressions are too long to be walked.
///
/// # Errors
/// Fails where they are, or where the template cannot be cut into tokens.
pub fn check_length(source: &str, syntax: SyntaxConfig) -> Result<(), Error> {
    let (mut within, mut pairs) = (0, 0);
    for token in tokenize(source, false, syntax) {
        let (token, span) = token?;
        within = match token {
            Token::TemplateData(_) | Token::VariableStart | Token::BlockStart => 0,
            _ => within + 1,
        };
        pairs += within;
        if pairs > MOST_PAIRS {
            let what = format!("its expressions have too many parts, up to line {}", span.start_line);
            return Err(Error::new(ErrorKind::SyntaxError, what));
        }
    }
    Ok(())
}

/// Operands that an instruction walks.
enum Operands {
    /// None.
    None,
    /// This many on top of the stack.
    Top(usize),
    /// Two on top of the stack, which are compared.
    Compared,
    /// Arguments of a call: this many, or as many as the top of the stack says.
    Arguments(Option<u16>),
}

impl Operands {
    fn of(instruction: &Instruction<'_>) -> Self {
        use Instruction as I;
        match instruction {
            I::Emit | I::GetItem | I::PushAutoEscape | I::Include(_) | I::LoadBlocks => Self::Top(1),
            I::StringConcat => Self::Top(2),
            I::BuildMap(pairs) => Self::Top(2 * pairs),
            I::Eq | I::Ne | I::Gt | I::Gte | I::Lt | I::Lte | I::In | I::CompareAndPreserve(_) => Self::Compared,
            I::ApplyFilter(_, count, _)
            | I::PerformTest(_, count, _)
            | I::CallFunction(_, count)
            | I::CallMethod(_, count)
            | I::CallObject(count) => Self::Arguments(*count),
            _ => Self::None,
        }
    }
}

/// Returns the same instructions, with their walks paid for. They need the filters of [`add_filters`].
pub fn paid<'source>(plain: &Instructions<'source>) -> Instructions<'source> {
    use Instruction as I;
    let mut paid = Instructions::new(plain.name(), plain.source());
    // Where each of the plain instructions now begins.
    let mut begins = Vec::new();
    let mut jumps = Vec::new();
    for (at, instruction) in (0..).map_while(|at| Some((at, plain.get(at)?.clone()))) {
        let mut next = 0;
        let mut add = |instruction| {
            let line = plain.get_line(at).and_then(|line| u16::try_from(line).ok()).unwrap_or(u16::MAX);
            next = paid.add_with_line(instruction, line) + 1;
            next - 1
        };
        // The operands become a list, which is walked and unpacked to where they were, with their count on top.
        let walk = |filter, list, add: &mut dyn FnMut(Instruction<'source>) -> u32| {
            let begin = add(I::BuildList(list));
            add(I::ApplyFilter(filter, Some(1), UNCACHED));
            add(I::UnpackLists(1));
            begin
        };
        let begin = match Operands::of(&instruction) {
            Operands::None | Operands::Top(0) | Operands::Arguments(Some(0)) => None,
            Operands::Top(count) => {
                let begin = walk(WALKED, Some(count), &mut add);
                add(I::DiscardTop);
                Some(begin)
            }
            Operands::Compared => {
                let begin = walk(COMPARED, Some(2), &mut add);
                add(I::DiscardTop);
                Some(begin)
            }
            Operands::Arguments(count) => Some(walk(WALKED, count.map(usize::from), &mut add)),
        };
        let own = add(match (begin, instruction) {
            (None, plain) => plain,
            // Calls take the count that now lies on the stack.
            (_, I::ApplyFilter(name, _, slot)) => I::ApplyFilter(name, None, slot),
            (_, I::PerformTest(name, _, slot)) => I::PerformTest(name, None, slot),
            (_, I::CallFunction(name, _)) => I::CallFunction(name, None),
            (_, I::CallMethod(name, _)) => I::CallMethod(name, None),
            (_, I::CallObject(_)) => I::CallObject(None),
            (_, plain) => plain,
        });
        begins.push(begin.unwrap_or(own));
        jumps.push(own);
    }
    let end = jumps.last().map_or(0, |last| last + 1);
    begins.push(end);
    for at in jumps {
        if let Some(
            I::Iterate(target)
            | I::Jump(target)
            | I::JumpIfFalse(target)
            | I::JumpIfFalseOrPop(target)
            | I::JumpIfTrueOrPop(target)
            | I::BuildMacro(_, target, _),
        ) = paid.get_mut(at)
        {
            *target = begins.get(*target as usize).copied().unwrap_or(end);
        }
    }
    paid
}

/// Walks all operands of an instruction.
fn walked(state: &State<'_, '_>, operands: Value) -> Result<Value, Error> {
    for operand in operands.try_iter()? {
        walk(state, &operand, 0)?;
    }
    Ok(operands)
}

/// Walks two operands that are compared, where the comparison descends into both. One that is searched for in a text is
/// formatted first.
fn compared(state: &State<'_, '_>, operands: Value) -> Result<Value, Error> {
    let (first, second) = (operands.get_item_by_index(0)?, operands.get_item_by_index(1)?);
    if is_nested(&first) && (is_nested(&second) || second.as_str().is_some()) {
        walk(state, &first, 0)?;
        walk(state, &second, 0)?;
    }
    Ok(operands)
}

fn is_nested(value: &Value) -> bool {
    matches!(value.kind(), ValueKind::Seq | ValueKind::Iterable | ValueKind::Map)
}

/// Pays for each value within `value`, and for the bytes of texts, which may be escaped. The engine counts a text that
/// is not nested.
fn walk(state: &State<'_, '_>, value: &Value, depth: usize) -> Result<(), Error> {
    if depth > DEEPEST {
        let what = format!("it nests lists more than {DEEPEST} deep, which a chat template may not");
        return Err(Error::new(ErrorKind::InvalidOperation, what));
    }
    if !is_nested(value) {
        let bytes = if depth == 0 { 0 } else { value.as_str().map_or(0, str::len) };
        return state.consume_fuel((bytes / (BYTES_A_FUEL / 4)) as u64);
    }
    let is_map = value.kind() == ValueKind::Map;
    for item in value.try_iter()? {
        state.consume_fuel(1)?;
        walk(state, &item, depth + 1)?;
        if is_map {
            walk(state, &value.get_item(&item)?, depth + 1)?;
        }
    }
    Ok(())
}
