//! Alignment of the tokens of one prompt with those of another.

use crate::graph::Token;

/// Returns for each position of `other` the position of `base` that it is aligned with, ascending; `None` where it has
/// none.
///
/// Equal tokens are aligned, as many as their order allows. The tokens between two such pairs are aligned from their
/// end: in `San Francisco` against `Dallas`, the last token of the name with the whole other name.
pub fn align(base: &[Token], other: &[Token]) -> Vec<Option<usize>> {
    let mut aligned = vec![None; other.len()];
    let (mut a, mut b) = (0, 0);
    let anchors = common(base, other).into_iter().chain([(base.len(), other.len())]);
    for (next_a, next_b) in anchors {
        let gap = (next_a - a).min(next_b - b);
        for back in 1..=gap {
            aligned[next_b - back] = Some(next_a - back);
        }
        if next_b < other.len() {
            aligned[next_b] = Some(next_a);
        }
        (a, b) = (next_a + 1, next_b + 1);
    }
    aligned
}

/// Returns a longest common subsequence, as pairs of positions.
fn common(base: &[Token], other: &[Token]) -> Vec<(usize, usize)> {
    let (n, m) = (base.len(), other.len());
    // By suffixes: how many tokens base[i..] and other[j..] share in order.
    let mut shared = vec![0u32; (n + 1) * (m + 1)];
    let at = |i: usize, j: usize| i * (m + 1) + j;
    for i in (0..n).rev() {
        for j in (0..m).rev() {
            shared[at(i, j)] = if base[i].id == other[j].id {
                shared[at(i + 1, j + 1)] + 1
            } else {
                shared[at(i + 1, j)].max(shared[at(i, j + 1)])
            };
        }
    }
    let (mut i, mut j, mut pairs) = (0, 0, Vec::new());
    while i < n && j < m {
        if base[i].id == other[j].id {
            pairs.push((i, j));
            (i, j) = (i + 1, j + 1);
        } else if shared[at(i + 1, j)] >= shared[at(i, j + 1)] {
            i += 1;
        } else {
            j += 1;
        }
    }
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn tokens(text: &str) -> Vec<Token> {
        let id = |word: &str| word.bytes().fold(7u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(u32::from(byte)));
        text.split(' ').map(|word| Token { id: id(word), text: word.to_owned() }).collect()
    }

    #[test]
    fn equal_tokens_first_and_what_is_between_from_its_end() {
        let aligned = |a: &str, b: &str| align(&tokens(a), &tokens(b));
        let all = |n: usize| (0..n).map(Some).collect::<Vec<_>>();
        assert_eq!(aligned("the state of Dallas is", "the state of Oakland is"), all(5));
        let longer = aligned("in Dallas is", "in San Francisco is");
        assert_eq!(longer, [Some(0), None, Some(1), Some(2)]);
        assert_eq!(aligned("in San Francisco is", "in Dallas is"), [Some(0), Some(2), Some(3)]);
        assert_eq!(aligned("a b c", "x y"), [Some(1), Some(2)], "without an equal token, from the end");
    }

    proptest! {
        #[test]
        fn an_alignment_ascends_and_a_prompt_is_aligned_with_itself(a in "[abc]( [abc]){0,9}", b in "[abc]( [abc]){0,9}") {
            let (a, b) = (tokens(&a), tokens(&b));
            prop_assert_eq!(align(&a, &a), (0..a.len()).map(Some).collect::<Vec<_>>());
            let aligned: Vec<usize> = align(&a, &b).into_iter().flatten().collect();
            prop_assert!(aligned.is_sorted_by(|x, y| x < y) && aligned.iter().all(|at| *at < a.len()));
            prop_assert!(aligned.len() <= a.len().min(b.len()));
        }
    }
}
