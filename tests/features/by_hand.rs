//! A store put together byte by byte, as the layout prescribes, with nothing that packs or writes for it.

use crate::{folder, read};
use circuitscope::features::{Dashboard, Example, Quantile};

/// Adler-32 of RFC 1950.
fn adler(data: &[u8]) -> u32 {
    let (a, b) = data.iter().fold((1_u32, 0_u32), |(a, b), byte| {
        let a = (a + u32::from(*byte)) % 65521;
        (a, (b + a) % 65521)
    });
    b << 16 | a
}

/// CRC-32 of RFC 1952.
fn crc(data: &[u8]) -> u32 {
    !data.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 })
    })
}

/// A last block of deflate (RFC 1951) that holds its bytes as they are.
fn stored(data: &[u8]) -> Vec<u8> {
    let length = u16::try_from(data.len()).unwrap();
    [&[1][..], &length.to_le_bytes(), &(!length).to_le_bytes(), data].concat()
}

pub fn zlib(data: &[u8]) -> Vec<u8> {
    [&[0x78, 0x01][..], &stored(data), &adler(data).to_be_bytes()].concat()
}

pub fn gzip(data: &[u8]) -> Vec<u8> {
    let head = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    [&head[..], &stored(data), &crc(data).to_le_bytes(), &(data.len() as u32).to_le_bytes()].concat()
}

/// A record: its length and what is packed.
pub fn record(packed: &[u8]) -> Vec<u8> {
    [&(packed.len() as u32).to_le_bytes()[..], packed].concat()
}

/// What a record of every field holds.
pub const FULL: &str = r#"{"transcoder_id": "set-1", "index": 2, "examples_quantiles": [{"quantile_name": "Top",
    "examples": [{"tokens": ["the", " caf\u00e9", "\\xe2\\x82", "\\xac"], "tokens_acts_list": [0, 1.5, 0.25, 2e-1],
    "train_token_ind": 1, "is_repeated_datapoint": true}]}], "top_logits": [" a"], "top_logits_values": [2.5], "bottom_logits": [" b", ""],
    "act_min": 0.125, "act_max": 1.5, "quantile_values": [0.5, 1], "histogram": [3, 1], "activation_frequency": 0.01,
    "unknown": {"more": [null]}}"#;

pub fn full() -> Dashboard {
    let example = Example {
        tokens: ["the", " café", "\\xe2\\x82", "\\xac"].map(str::to_owned).to_vec(),
        activations: vec![0.0, 1.5, 0.25, 0.2],
        peak: Some(1),
        repeated: true,
    };
    Dashboard {
        transcoder_id: "set-1".into(),
        index: 2,
        quantiles: vec![Quantile { name: "Top".into(), examples: vec![example] }],
        promoted: vec![" a".into()],
        promoted_by: vec![2.5],
        suppressed: vec![" b".into(), String::new()],
        min: 0.125,
        max: 1.5,
        quantile_values: vec![0.5, 1.0],
        histogram: vec![3.0, 1.0],
        density: Some(0.01),
    }
}

#[test]
fn a_record_is_read_where_the_index_says() {
    let (a, b) = (record(&zlib(b"{}")), record(&gzip(FULL.as_bytes())));
    // A gap before the first record, none for feature 1, and bytes behind the last one's length.
    let layer_0 = [&b"...."[..], &a, &b, b"??"].concat();
    let c = record(&zlib(
        br#"{"examples_quantiles": [{"examples": [{"train_token_index": 3, "tokens": ["a", "b"],
        "tokens_acts_list": [1, 2]}]}], "act_min": null, "histogram": [1, null], "activation_frequency": null}"#,
    ));
    let (ends_a, ends_b) = (4 + a.len(), 4 + a.len() + b.len() + 2);
    let index = format!(
        r#"[{{"filename": "layer_0.bin", "offsets": [4, {ends_a}, {ends_a}, {ends_b}]}}, null,
            {{"offsets": [0, {}], "filename": "more/2.bin", "other": 1}}]"#,
        c.len()
    );
    let index = gzip(index.as_bytes());
    let folder = folder(&[("index.json.gz", &index), ("layer_0.bin", &layer_0), ("more/2.bin", &c)]);
    let read = |layer, feature| read(folder.path(), layer, feature).unwrap();

    let empty = read(0, 0).unwrap();
    assert_eq!((empty.min, empty.max, empty.density), (0.0, 1.4, None));
    assert_eq!(empty, Dashboard::default());
    assert_eq!(read(0, 2), Some(full()));
    let other = read(2, 0).unwrap();
    let example = &other.quantiles[0].examples[0];
    assert_eq!((example.peak, example.strongest(), other.min), (Some(3), Some(1), 0.0));
    assert!(other.histogram.is_empty(), "one bar of it is not known");
    for (layer, feature) in [(0, 1), (0, 3), (1, 0), (2, 1), (3, 0)] {
        assert_eq!(read(layer, feature), None);
    }
}

#[test]
fn what_is_written_in_its_names_is_read_in_them() {
    let text = serde_json::to_string(&full()).unwrap();
    let said: serde_json::Value = serde_json::from_str(&text).unwrap();
    let mut prescribed: serde_json::Value = serde_json::from_str(FULL).unwrap();
    prescribed.as_object_mut().unwrap().remove("unknown");
    let names = |value: &serde_json::Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&said), names(&prescribed));
    let example = |value: &serde_json::Value| names(&value["examples_quantiles"][0]["examples"][0]);
    assert_eq!(example(&said), example(&prescribed));
    assert_eq!(serde_json::from_str::<Dashboard>(&text).unwrap(), full());
}
