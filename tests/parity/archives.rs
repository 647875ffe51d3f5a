//! NumPy archives: compressed ones give what stored ones give, and those that lie about themselves are refused.

use crate::engine::Case;
use crate::fixture::folder;
use circuitscope::hub::FileSource;
use circuitscope::model::ModelSpec;
use circuitscope::transcoder::Transcoder;
use flate2::Crc;
use flate2::{Compression, write::DeflateEncoder};
use safetensors::SafeTensors;
use std::fs;
use std::io::Write;
use std::path::Path;

const CASE: &str = "gemma2_plt_jumprelu";
const PROMPT: &str = "the state where Dallas is was said";

/// A member of an archive: its name, its bytes, and what the archive says of them.
struct Member {
    name: String,
    packed: Vec<u8>,
    size: u32,
    crc: u32,
}

impl Member {
    fn new(name: &str, content: &[u8]) -> Self {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(content).unwrap();
        let mut crc = Crc::new();
        crc.update(content);
        let size = content.len() as u32;
        Self { name: format!("{name}.npy"), packed: encoder.finish().unwrap(), size, crc: crc.sum() }
    }
}

/// An array's file.
fn array(shape: &[usize], data: &[u8]) -> Vec<u8> {
    let shape: String = shape.iter().map(|n| format!("{n},")).collect();
    let header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({shape}), }}\n");
    let mut file = b"\x93NUMPY\x01\x00".to_vec();
    file.extend((header.len() as u16).to_le_bytes());
    file.extend(header.bytes());
    file.extend(data);
    file
}

/// A ZIP archive of deflated members.
fn archive(members: &[Member]) -> Vec<u8> {
    let (mut out, mut directory) = (Vec::new(), Vec::new());
    for Member { name, packed, size, crc } in members {
        let offset = out.len() as u32;
        let mut about = Vec::new();
        // Version, flags, method, time, date.
        about.extend([20u16, 0, 8, 0, 0x21].iter().flat_map(|n| n.to_le_bytes()));
        about.extend([*crc, packed.len() as u32, *size].iter().flat_map(|n| n.to_le_bytes()));
        about.extend([name.len() as u16, 0].iter().flat_map(|n| n.to_le_bytes()));
        out.extend(b"PK\x03\x04");
        out.extend(&about);
        out.extend(name.bytes());
        out.extend(packed);
        directory.extend(b"PK\x01\x02\x14\x00");
        directory.extend(&about);
        directory.extend([0u8; 10]);
        directory.extend(offset.to_le_bytes());
        directory.extend(name.bytes());
    }
    let start = out.len() as u32;
    out.extend(&directory);
    out.extend(b"PK\x05\x06\0\0\0\0");
    out.extend([members.len() as u16, members.len() as u16].iter().flat_map(|n| n.to_le_bytes()));
    out.extend([directory.len() as u32, start].iter().flat_map(|n| n.to_le_bytes()));
    out.extend([0, 0]);
    out
}

/// The case's transcoder as compressed archives, of whose first `spoil` changes one member.
fn compressed(folder_of_copy: &Path, spoil: impl Fn(&mut Vec<Member>)) {
    let directory = folder_of_copy.join("transcoder");
    fs::create_dir(&directory).unwrap();
    let config = fs::read_to_string(folder(CASE).join("transcoder/config.yaml")).unwrap();
    let names: Vec<String> = (0..3).map(|layer| format!("layer_{layer}/params.npz")).collect();
    fs::write(directory.join("config.yaml"), config + "transcoders:\n- " + &names.join("\n- ") + "\n").unwrap();
    for (layer, name) in names.iter().enumerate() {
        let file = fs::read(folder(CASE).join(format!("transcoder/layer_{layer}.safetensors"))).unwrap();
        let tensors = SafeTensors::deserialize(&file).unwrap();
        let mut members = Vec::new();
        for (tensor, view) in tensors.tensors() {
            let (mut shape, mut data) = (view.shape().to_vec(), view.data().to_vec());
            if tensor == "W_enc" {
                let (rows, columns) = (shape[0], shape[1]);
                let number = |row: usize, column: usize| (row * columns + column) * 4;
                let turned = (0..columns).flat_map(|c| (0..rows).map(move |r| number(r, c)));
                data = turned.flat_map(|at| view.data()[at..at + 4].to_vec()).collect();
                shape.reverse();
            }
            members.push(Member::new(tensor.trim_start_matches("activation_function."), &array(&shape, &data)));
        }
        if layer == 0 {
            spoil(&mut members);
        }
        fs::create_dir(directory.join(format!("layer_{layer}"))).unwrap();
        fs::write(directory.join(name), archive(&members)).unwrap();
    }
}

/// Puts the case's model beside.
fn with_model(folder_of_copy: &Path) {
    fs::create_dir(folder_of_copy.join("model")).unwrap();
    for entry in fs::read_dir(folder(CASE).join("model")).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, folder_of_copy.join("model").join(path.file_name().unwrap())).unwrap();
    }
}

#[test]
fn compressed_archives_give_the_same_trace() {
    let copy = tempfile::tempdir().unwrap();
    compressed(copy.path(), |_| {});
    with_model(copy.path());
    let (found, wanted) = (Case::at(copy.path()).trace_all(PROMPT), Case::open(CASE).trace_all(PROMPT));
    assert!(found.active.len() > 10);
    assert_eq!((found.active, found.row_targets), (wanted.active, wanted.row_targets));
    for (found, wanted) in found.row_abs_sums.iter().zip(&wanted.row_abs_sums) {
        assert!((found - wanted).abs() <= 1e-4 * wanted.abs(), "{found}, not {wanted}");
    }
}

/// What an archive says of sizes and shapes is judged when it is opened; what it holds when that is unpacked, before a trace
/// gives anything.
#[test]
fn archives_that_lie_about_themselves_are_refused() {
    let told = |error: String, part: &str| {
        assert!(
            error.contains("layer_0/params.npz") && error.contains("array W_dec") && error.contains(part),
            "{error}"
        );
    };
    let lying = |spoil: &dyn Fn(&mut Member)| {
        let copy = tempfile::tempdir().unwrap();
        compressed(copy.path(), |members| spoil(members.iter_mut().find(|m| m.name.starts_with("W_dec")).unwrap()));
        with_model(copy.path());
        copy
    };
    let refused_at_once = |spoil: &dyn Fn(&mut Member), part: &str| {
        let copy = lying(spoil);
        let model = ModelSpec::read(&FileSource::directory(&copy.path().join("model")).unwrap()).unwrap();
        let opened = Transcoder::open(&FileSource::directory(&copy.path().join("transcoder")).unwrap(), &model);
        told(opened.unwrap_err().to_string(), part);
    };
    let refused = |spoil: &dyn Fn(&mut Member), part: &str| {
        let copy = lying(spoil);
        let model = ModelSpec::read(&FileSource::directory(&copy.path().join("model")).unwrap()).unwrap();
        let opened = Transcoder::open(&FileSource::directory(&copy.path().join("transcoder")).unwrap(), &model);
        // What its first bytes show is told when it is opened.
        if let Err(error) = opened {
            return told(error.to_string(), part);
        }
        let case = Case::at(copy.path());
        told(case.try_trace_all(PROMPT).unwrap_err().to_string(), part);
        // Nor is it read at the second try.
        told(case.transcoder.decoder_rows(0, 0).unwrap_err().to_string(), part);
    };
    refused(&|member| member.crc ^= 1, "does not unpack into");
    refused(&|member| member.packed.truncate(member.packed.len() / 2), "unpack");
    refused(&|member| member.packed[200..].fill(0xff), "unpack");
    refused_at_once(&|member| member.size += 4, "not what shape");
    // A megabyte of zeros, of which the archive admits as much as the shape asks for, or all.
    let zeros = |shape: &[usize]| Member::new("W_dec", &array(shape, &vec![0; 1 << 20]));
    refused(
        &|member| {
            let honest = member.size;
            *member = zeros(&[96, 32]);
            member.size = honest;
        },
        "does not unpack into",
    );
    refused_at_once(&|member| *member = zeros(&[96, 32]), "not what shape");
    refused_at_once(&|member| member.size = u32::MAX - 1, "cannot be packed into");
}
