//! Documents cut into the pieces that the model reads, and pieces packed into batches.

use crate::features::build::bins::mix;
use sha2::{Digest, Sha256};

/// Tokens of the longest piece, the leading ones included. Tokens further back are not attended to.
pub const CONTEXT: usize = 256;

/// Rows of a batch. All batches have as many, so that a piece goes through the same operations whatever shares its
/// batch.
pub const ROWS: usize = 512;

/// Run of a document's tokens that the model reads at once, behind the leading special token.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Piece {
    /// Identity of the document: the head of its SHA-256, so that it is the same wherever it stands in a corpus.
    pub document: u128,
    /// Start in the document, in tokens.
    pub start: u32,
    /// Ids of its tokens.
    pub tokens: Vec<u32>,
}

/// Returns a document's SHA-256.
pub fn digest(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}

/// Returns the head of a digest, which identifies a document.
pub fn identity(digest: &[u8; 32]) -> u128 {
    let (head, _) = digest.split_at(size_of::<u128>());
    head.iter().fold(0, |number, byte| number << 8 | u128::from(*byte))
}

impl Piece {
    /// Cuts a document's tokens into pieces, none longer than `room`.
    pub fn cut(document: u128, tokens: &[u32], room: usize) -> impl Iterator<Item = Self> {
        tokens.chunks(room.max(1)).enumerate().map(move |(nth, tokens)| Self {
            document,
            start: (nth * room.max(1)) as u32,
            tokens: tokens.to_vec(),
        })
    }

    /// Returns the rank of token `at` among the examples of its bin: the smallest are kept.
    pub fn hash(&self, seed: u64, at: usize) -> u64 {
        let position = u64::from(self.start) + at as u64;
        let [low, high] = [self.document as u64, (self.document >> 64) as u64];
        mix(mix(mix(seed ^ low) ^ high) ^ position)
    }

    /// Returns its bytes in memory.
    pub fn bytes(&self) -> usize {
        size_of::<Self>() + self.tokens.len() * size_of::<u32>()
    }
}

/// Packs pieces of these `lengths` into batches of at most [`ROWS`] rows: indices, the longest pieces first.
pub fn pack(lengths: &[usize]) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..lengths.len()).collect();
    order.sort_by_key(|index| std::cmp::Reverse(lengths[*index]));
    let mut batches: Vec<(usize, Vec<usize>)> = Vec::new();
    for index in order {
        let length = lengths[index];
        match batches.iter_mut().find(|(rows, _)| rows + length <= ROWS) {
            Some((rows, batch)) => {
                *rows += length;
                batch.push(index);
            }
            None => batches.push((length, vec![index])),
        }
    }
    batches.into_iter().map(|(_, batch)| batch).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_hold_every_token_once_and_batches_every_piece() {
        let tokens: Vec<u32> = (0..700).collect();
        let pieces: Vec<Piece> = Piece::cut(7, &tokens, 255).collect();
        assert_eq!(pieces.iter().flat_map(|piece| piece.tokens.clone()).collect::<Vec<_>>(), tokens);
        assert_eq!(pieces.iter().map(|piece| piece.start).collect::<Vec<_>>(), [0, 255, 510]);
        let lengths = [256, 10, 300, 200, 12, 512, 255];
        let batches = pack(&lengths);
        let mut all = batches.concat();
        all.sort_unstable();
        assert_eq!(all, (0..lengths.len()).collect::<Vec<_>>());
        assert!(batches.iter().all(|batch| batch.iter().map(|i| lengths[*i]).sum::<usize>() <= ROWS));
        assert_eq!(batches.len(), 4);
    }

    #[test]
    fn a_token_s_hash_goes_by_its_place_in_the_document_alone() {
        let tokens: Vec<u32> = (0..9).collect();
        let whole: Vec<u64> =
            (0..9).map(|at| Piece { document: 3, start: 0, tokens: tokens.clone() }.hash(1, at)).collect();
        let cut: Vec<u64> = Piece::cut(3, &tokens, 4)
            .flat_map(|piece| (0..piece.tokens.len()).map(move |at| piece.hash(1, at)).collect::<Vec<_>>())
            .collect();
        assert_eq!(whole, cut);
        assert!(whole.iter().all(|hash| whole.iter().filter(|other| *other == hash).count() == 1));
        assert_ne!(whole[0], Piece { document: 3, start: 0, tokens }.hash(2, 0));
    }
}
