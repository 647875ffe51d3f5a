//! The archive that torch saves, and tensors in it, read where they lie.

use super::pickle::{Pickle, Ref, Value};
use half::{bf16, f16};
use std::collections::HashMap;
use std::io::Cursor;
use std::ops::Range;
use zip::{CompressionMethod, ZipArchive};

/// Archive that torch saved: a pickle, and the numbers that it refers to.
pub(super) struct Archive<'a> {
    bytes: &'a [u8],
    members: HashMap<String, Range<usize>>,
    /// Directory of all members.
    root: String,
}

impl<'a> Archive<'a> {
    pub fn open(bytes: &'a [u8]) -> Result<Self, String> {
        let mut archive =
            ZipArchive::new(Cursor::new(bytes)).map_err(|error| format!("its archive is unsound ({error})"))?;
        let mut members = HashMap::new();
        for index in 0..archive.len() {
            let member = archive.by_index_raw(index).map_err(|error| error.to_string())?;
            let name = member.name().map_err(|error| error.to_string())?.into_owned();
            if member.compression() != CompressionMethod::Stored {
                return Err(format!("its member {name} is compressed, which torch does not do"));
            }
            let range = member.data_start().and_then(|start| {
                let start = usize::try_from(start).ok()?;
                let end = start.checked_add(usize::try_from(member.size()).ok()?)?;
                (end <= bytes.len()).then_some(start..end)
            });
            members.insert(name.clone(), range.ok_or_else(|| format!("its member {name} lies outside the file"))?);
        }
        let pickle = members.keys().find(|name| *name == "data.pkl" || name.ends_with("/data.pkl"));
        let root = pickle.and_then(|name| name.strip_suffix("data.pkl")).map(str::to_owned);
        let archive =
            Self { bytes, members, root: root.ok_or("its archive has no data.pkl, so torch did not save it")? };
        match archive.member("byteorder") {
            Some(order) if order.trim_ascii() != b"little" => Err("its numbers are big-endian".into()),
            _ => Ok(archive),
        }
    }

    /// Returns a member, by its name below the root.
    pub fn member(&self, name: &str) -> Option<&'a [u8]> {
        self.members.get(&format!("{}{name}", self.root)).map(|range| &self.bytes[range.clone()])
    }
}

/// Number types that occur.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    F64,
    F32,
    F16,
    Bf16,
    I64,
    I32,
    I16,
    I8,
    U8,
}

impl Kind {
    fn of(storage: &str) -> Option<Self> {
        Some(match storage {
            "DoubleStorage" => Self::F64,
            "FloatStorage" => Self::F32,
            "HalfStorage" => Self::F16,
            "BFloat16Storage" => Self::Bf16,
            "LongStorage" => Self::I64,
            "IntStorage" => Self::I32,
            "ShortStorage" => Self::I16,
            "CharStorage" => Self::I8,
            "ByteStorage" | "BoolStorage" => Self::U8,
            _ => return None,
        })
    }

    fn size(self) -> usize {
        match self {
            Self::F64 | Self::I64 => 8,
            Self::F32 | Self::I32 => 4,
            Self::F16 | Self::Bf16 | Self::I16 => 2,
            Self::I8 | Self::U8 => 1,
        }
    }
}

/// A tensor of at most two dimensions.
#[derive(Debug)]
pub(super) struct Tensor<'a> {
    kind: Kind,
    /// Storage of which it is a view.
    storage: &'a [u8],
    offset: usize,
    /// Rows, then columns; a vector is one column.
    pub size: [usize; 2],
    stride: [usize; 2],
}

impl<'a> Tensor<'a> {
    /// Reads the tensor that a pickle makes at `at`.
    ///
    /// # Errors
    /// Fails where it is broken, and says how.
    pub fn of(archive: &Archive<'a>, pickle: &Pickle<'a>, at: Ref) -> Result<Self, String> {
        let Value::Call { callable, arguments, .. } = *pickle.get(at) else { return Err("is no tensor".into()) };
        let call = match pickle.get(callable) {
            Value::Global("torch._utils", name) => *name,
            Value::Global(module, name) => return Err(format!("is made by {module}.{name}, not a plain tensor")),
            _ => return Err("is no tensor".into()),
        };
        let arguments = pickle.items(arguments).unwrap_or_default();
        let (storage, offset, size, stride) = match (call, arguments) {
            ("_rebuild_tensor_v2", [storage, offset, size, stride, ..]) => (*storage, *offset, *size, *stride),
            _ => return Err(format!("is made by torch._utils.{call}, not a plain tensor")),
        };
        let (kind, storage) = Self::storage(archive, pickle, storage).ok_or("has no numbers in the file")?;
        let number = |at: Ref| pickle.int(at).and_then(|number| usize::try_from(number).ok());
        let numbers = |at: Ref| pickle.items(at)?.iter().map(|at| number(*at)).collect::<Option<Vec<_>>>();
        let (Some(offset), Some(size), Some(stride)) = (number(offset), numbers(size), numbers(stride)) else {
            return Err("has no sound size".into());
        };
        let (size, stride) = match (&size[..], &stride[..]) {
            ([], []) => ([1, 1], [0, 0]),
            ([rows], [row]) => ([*rows, 1], [*row, 0]),
            ([rows, columns], [row, column]) => ([*rows, *columns], [*row, *column]),
            _ => return Err(format!("has {} dimensions", size.len())),
        };
        let tensor = Self { kind, storage, offset, size, stride };
        if tensor.fits() { Ok(tensor) } else { Err("is larger than its numbers in the file".into()) }
    }

    fn storage(archive: &Archive<'a>, pickle: &Pickle<'a>, at: Ref) -> Option<(Kind, &'a [u8])> {
        let Value::Outside(id) = *pickle.get(at) else { return None };
        let [what, kind, key, ..] = *pickle.items(id)? else { return None };
        let Value::Global(_, kind) = pickle.get(kind) else { return None };
        (pickle.text(what)? == "storage").then_some(())?;
        Some((Kind::of(kind)?, archive.member(&format!("data/{}", pickle.text(key)?))?))
    }

    /// Returns true where every number is there, and no more are asked for than there are.
    fn fits(&self) -> bool {
        let there = self.storage.len() / self.kind.size();
        let Some(count) = self.size[0].checked_mul(self.size[1]) else { return false };
        let last = |axis: usize| self.size[axis].saturating_sub(1).checked_mul(self.stride[axis]);
        let last = || last(0)?.checked_add(last(1)?)?.checked_add(self.offset);
        count == 0 || count <= there && last().is_some_and(|last| last < there)
    }

    fn bytes(&self, row: usize, column: usize) -> &'a [u8] {
        let at = (self.offset + row * self.stride[0] + column * self.stride[1]) * self.kind.size();
        &self.storage[at..at + self.kind.size()]
    }

    /// Returns a number of it; a whole number is converted.
    pub fn float(&self, row: usize, column: usize) -> f32 {
        let bytes = self.bytes(row, column);
        match self.kind {
            Kind::F32 => f32::from_le_bytes(own(bytes)),
            Kind::F64 => f64::from_le_bytes(own(bytes)) as f32,
            Kind::F16 => f16::from_le_bytes(own(bytes)).to_f32(),
            Kind::Bf16 => bf16::from_le_bytes(own(bytes)).to_f32(),
            _ => self.int(row, column).unwrap_or_default() as f32,
        }
    }

    /// Returns a whole number of it; `None` where it is of another type.
    pub fn int(&self, row: usize, column: usize) -> Option<i64> {
        let bytes = self.bytes(row, column);
        Some(match self.kind {
            Kind::I64 => i64::from_le_bytes(own(bytes)),
            Kind::I32 => i32::from_le_bytes(own(bytes)).into(),
            Kind::I16 => i16::from_le_bytes(own(bytes)).into(),
            Kind::I8 => i8::from_le_bytes(own(bytes)).into(),
            Kind::U8 => u8::from_le_bytes(own(bytes)).into(),
            Kind::F64 | Kind::F32 | Kind::F16 | Kind::Bf16 => return None,
        })
    }

    /// Returns the number of its entries.
    pub fn count(&self) -> usize {
        self.size[0] * self.size[1]
    }

    /// Returns the number at an index counted row after row, where it fits into 32 bits.
    pub fn small(&self, at: usize) -> Option<u32> {
        self.int(at / self.size[1], at % self.size[1]).and_then(|number| u32::try_from(number).ok())
    }
}

fn own<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut own = [0; N];
    own.copy_from_slice(bytes);
    own
}
