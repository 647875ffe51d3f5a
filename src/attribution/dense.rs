//! Backward pass on a device with memory of its own.
//!
//! The CPU's form (`backward`) touches only the rows that a target needs and looks at each position in turn. A card
//! wants few and large operations and no waiting: here the gradients of a group of targets stand in full over positions
//! 1 to the group's last, one batched product contracts them with all that a layer's positions wrote, and the effects
//! are copied to the host once a group, while the card already works on the next one.

use crate::attribution::TraceError;
use crate::attribution::backward::Block;
use crate::attribution::decoder_rows::DecoderRows;
use crate::attribution::replacement::Replacement;
use crate::attribution::target_row::{ReadSite, TargetRow};
use crate::job::Cancel;
use crate::model::{Precision, Staging};
use crate::parallel;
use candle_core::Tensor;
use std::cmp::Reverse;
use std::sync::PoisonError;

/// Operations of a layer's matrix products over one group: some milliseconds of a fast card, many times its launch
/// overhead.
const GROUP_OPERATIONS: usize = 160_000_000_000;

/// Fewest and most rows (targets times positions) of a group.
const GROUP_ROWS: (usize, usize) = (2048, 32_768);

/// Returns the most rows of gradients of a group, for products of this width; a target with more positions stands
/// alone.
pub(super) fn group_rows(d: usize, d_attn: usize, d_kv: usize) -> usize {
    (GROUP_OPERATIONS / (2 * d * (d_attn + d_kv)).max(1)).clamp(GROUP_ROWS.0, GROUP_ROWS.1)
}

/// Read vectors of a group's members, on the device.
enum Reads {
    /// Each at one position: vectors `[members, d]`, and their positions from 1 on, as ones and zeros `[last position,
    /// members]`.
    AtOne(Tensor, Tensor),
    /// Some of them at several, from position 1 on: `[last position, members, d]`.
    AtSeveral(Tensor),
}

/// Targets whose gradients are carried together.
struct Group {
    /// Indices of targets, in the order in which they join: those that have joined are the first ones.
    members: Vec<usize>,
    /// Largest of their positions.
    last: usize,
}

/// Groups targets at like positions, which keeps padding small. Targets at position 0 are in no group.
fn groups(targets: &[TargetRow], most_rows: usize) -> Vec<Group> {
    let mut order: Vec<usize> = (0..targets.len()).filter(|t| targets[*t].position > 0).collect();
    order.sort_by_key(|t| Reverse(targets[*t].position));
    let mut groups: Vec<Group> = Vec::new();
    for target in order {
        let position = targets[target].position;
        let has_room = |group: &&mut Group| {
            let rows = (group.members.len() + 1) * group.last;
            rows <= most_rows && (4 * position >= 3 * group.last || 4 * rows <= most_rows)
        };
        match groups.last_mut().filter(has_room) {
            Some(group) => group.members.push(target),
            None => groups.push(Group { members: vec![target], last: position }),
        }
    }
    // On the way down, what is read in front of an MLP comes before what is read in front of the attention below it.
    let order = |target: &TargetRow| Reverse((target.layer, target.site == ReadSite::Mlp));
    groups.iter_mut().for_each(|group| group.members.sort_by_key(|t| order(&targets[*t])));
    groups
}

/// Sources of some of a group's effects.
#[derive(Clone, Copy)]
enum Of {
    /// Vectors that a layer wrote at positions from `first` on, padded to the most rows of one of them.
    DecoderRows { layer: usize, first: usize },
    /// Vectors that attention carried from position 0: of token 0, and of constants.
    FirstPosition,
    /// Embeddings, and learned positions where there are any.
    Tokens,
}

/// Effects `[positions, members, width]` on the first members of a group, at `start` among all of the group's effects.
struct Found {
    of: Of,
    start: usize,
    positions: usize,
    members: usize,
    width: usize,
}

impl Found {
    /// Returns the effects on one member at the `nth` position, from all `effects` of the group.
    fn at<'a>(&self, effects: &'a [f32], nth: usize, member: usize) -> &'a [f32] {
        let start = self.start + (nth * self.members + member) * self.width;
        &effects[start..start + self.width]
    }
}

/// Group at the layer that its backward pass has reached.
struct Flow<'a> {
    frozen: &'a Replacement,
    targets: &'a [TargetRow],
    group: &'a Group,
    /// Number of members that have joined.
    joined: usize,
    /// Number of members that have passed attention and stand at several positions.
    spread: usize,
    reads: Reads,
    /// Gradients from position 1 on, `[last position of the group, joined, d]`.
    gradients: Option<Tensor>,
    found: Vec<Found>,
    effects: Vec<Tensor>,
    /// Number of effects.
    n_effects: usize,
    /// Floating-point operations that the rows need, without those on zeros.
    operations: u64,
}

/// Group whose work is under way on the device.
struct Pending<'a> {
    group: &'a Group,
    found: Vec<Found>,
    has_effects: bool,
}

impl Replacement {
    /// Adds the direct effects on `targets` to `block`, except for those at position 0.
    ///
    /// # Errors
    /// Fails where a tensor operation failed, or the work was stopped.
    pub(super) fn rows_in_full(
        &self,
        targets: &[TargetRow],
        block: &mut Block<'_>,
        cancel: &Cancel,
    ) -> Result<(), TraceError> {
        let Some(first) = self.layers.first() else { return Ok(()) };
        let (d_attn, d_kv) = first.widths()?;
        let groups = groups(targets, group_rows(self.d_model, d_attn, d_kv));
        let mut staging = self.staging.lock().unwrap_or_else(PoisonError::into_inner);
        let mut pending: Option<Pending<'_>> = None;
        for (nth, group) in groups.iter().map(Some).chain([None]).enumerate() {
            // The device works on this group while the effects of the one before are put in their places.
            let launched = match group {
                Some(group) => {
                    let staging = &mut staging[nth % 2];
                    let reads = self.send_reads(targets, group, staging)?;
                    let (found, effects, operations) = Flow::new(self, targets, group, reads).run(cancel)?;
                    block.operations += operations;
                    let has_effects = effects.is_some();
                    if let Some(effects) = effects {
                        staging.ask(&effects)?;
                    }
                    Some(Pending { group, found, has_effects })
                }
                None => None,
            };
            if let Some(before) = std::mem::replace(&mut pending, launched)
                && before.has_effects
            {
                let effects = staging[(nth + 1) % 2].fetch()?;
                self.put(before.group, &before.found, effects, block);
            }
        }
        Ok(())
    }

    /// Copies the read vectors of the members to the device.
    fn send_reads(&self, targets: &[TargetRow], group: &Group, staging: &mut Staging) -> Result<Reads, TraceError> {
        let (n, d, last) = (group.members.len(), self.d_model, group.last);
        if group.members.iter().any(|t| targets[*t].reads_several(d)) {
            let sent = staging.send(last * n * d, &self.device, |numbers| {
                let rows = numbers.chunks_mut(d).enumerate().collect();
                parallel::each(rows, last * n * d, |(nth, row): (usize, &mut [f32])| {
                    match targets[group.members[nth % n]].read_at(1 + nth / n, d) {
                        Some(read) => row.copy_from_slice(read),
                        None => row.fill(0.0),
                    }
                });
            })?;
            return Ok(Reads::AtSeveral(sent.reshape((last, n, d))?));
        }
        let sent = staging.send(n * (d + last), &self.device, |numbers| {
            let (reads, at) = numbers.split_at_mut(n * d);
            let rows = reads.chunks_mut(d).zip(&group.members).collect();
            parallel::each(rows, n * d, |(row, target): (&mut [f32], &usize)| {
                row.copy_from_slice(&targets[*target].read)
            });
            for (position, at) in (1..).zip(at.chunks_mut(n)) {
                let is_there = group.members.iter().map(|t| f32::from(u8::from(targets[*t].position == position)));
                at.iter_mut().zip(is_there).for_each(|(at, is_there)| *at = is_there);
            }
        })?;
        let (reads, at) = (sent.narrow(0, 0, n * d)?, sent.narrow(0, n * d, n * last)?);
        Ok(Reads::AtOne(reads.reshape((n, d))?, at.reshape((last, n))?))
    }

    /// Adds a group's effects to its members' rows.
    fn put(&self, group: &Group, found: &[Found], effects: &[f32], block: &mut Block<'_>) {
        let columns = self.n_columns();
        let mut rows: Vec<Option<(&mut [f32], &mut f32)>> =
            block.values.chunks_mut(columns).zip(&mut block.constants).map(Some).collect();
        let members: Vec<_> =
            group.members.iter().enumerate().filter_map(|(nth, t)| Some((nth, rows[*t].take()?))).collect();
        parallel::each(members, effects.len(), |(nth, (out, constant))| {
            for found in found.iter().filter(|found| nth < found.members) {
                self.put_one(found, nth, effects, out, constant);
            }
        });
    }

    /// Adds the effects on one member from some of the group's effects; part of [`Replacement::put`].
    fn put_one(&self, found: &Found, member: usize, effects: &[f32], out: &mut [f32], constant: &mut f32) {
        for nth in 0..found.positions {
            let effects = found.at(effects, nth, member);
            match found.of {
                Of::DecoderRows { layer, first } => {
                    let Some(writes) = &self.layers[layer].writes[first + nth] else { continue };
                    writes.add(&effects[..writes.n_rows()], out, constant);
                }
                Of::FirstPosition => {
                    out[self.token_column(0)] += effects[0];
                    *constant += effects[1];
                }
                Of::Tokens => {
                    out[self.token_column(nth + 1)] += effects[0];
                    *constant += effects[1..].iter().sum::<f32>();
                }
            }
        }
    }
}

impl<'a> Flow<'a> {
    fn new(frozen: &'a Replacement, targets: &'a [TargetRow], group: &'a Group, reads: Reads) -> Self {
        Self {
            frozen,
            targets,
            group,
            reads,
            joined: 0,
            spread: 0,
            gradients: None,
            found: Vec::new(),
            effects: Vec::new(),
            n_effects: 0,
            operations: 0,
        }
    }

    /// Starts all of the group's work without waiting for the device. Returns the sources of the effects, the effects
    /// one after the other, and the operations.
    fn run(mut self, cancel: &Cancel) -> Result<(Vec<Found>, Option<Tensor>, u64), TraceError> {
        let n_layers = self.frozen.layers.len();
        let top = self.group.members.first().map_or(0, |t| self.targets[*t].layer.min(n_layers - 1));
        self.join((n_layers, ReadSite::Attention))?;
        for layer in (0..=top).rev() {
            cancel.check()?;
            self.contract_writes(layer)?;
            if self.frozen.parallel_residual {
                self.contract_first_position(layer)?;
                let beside_skip = self.gradients.clone();
                self.pass_skip(layer)?;
                self.pass_attention(layer, beside_skip)?;
            } else {
                self.pass_skip(layer)?;
                self.join((layer, ReadSite::Mlp))?;
                self.contract_first_position(layer)?;
                self.pass_attention(layer, None)?;
            }
            self.join((layer, ReadSite::Attention))?;
        }
        self.contract_tokens()?;
        let effects = match self.effects.as_slice() {
            [] => None,
            effects => Some(Tensor::cat(effects, 0)?),
        };
        Ok((self.found, effects, self.operations))
    }

    /// Returns the position of each member that has joined, and whether it has passed attention or reads at several.
    fn members(&self) -> impl Iterator<Item = (usize, bool)> {
        let joined = self.group.members[..self.joined].iter().enumerate();
        joined.map(|(nth, target)| {
            let target = &self.targets[*target];
            (target.position, nth < self.spread || target.reads_several(self.frozen.d_model))
        })
    }

    /// Returns the number of rows of gradients that are not zero.
    fn rows(&self) -> usize {
        self.members().map(|(position, is_spread)| if is_spread { position } else { 1 }).sum()
    }

    fn push(&mut self, of: Of, effects: &Tensor) -> Result<(), TraceError> {
        let (positions, members, width) = effects.dims3()?;
        self.found.push(Found { of, start: self.n_effects, positions, members, width });
        self.n_effects += effects.elem_count();
        self.effects.push(effects.flatten_all()?);
        Ok(())
    }

    /// Adds the members that read `at` this point to the flow.
    fn join(&mut self, at: (usize, ReadSite)) -> Result<(), TraceError> {
        let waiting = self.group.members[self.joined..].iter().map(|t| self.frozen.joins(&self.targets[*t]));
        let n = waiting.take_while(|joins| *joins == at).count();
        if n == 0 {
            return Ok(());
        }
        let fresh = match &self.reads {
            Reads::AtOne(reads, at) => {
                let reads = reads.narrow(0, self.joined, n)?.unsqueeze(0)?;
                at.narrow(1, self.joined, n)?.unsqueeze(2)?.broadcast_mul(&reads)?
            }
            Reads::AtSeveral(reads) => reads.narrow(1, self.joined, n)?.contiguous()?,
        };
        self.gradients = Some(match self.gradients.take() {
            Some(gradients) => Tensor::cat(&[&gradients, &fresh], 1)?,
            None => fresh,
        });
        self.joined += n;
        Ok(())
    }

    /// Contracts the gradients at `layer`'s feature output with what was written there.
    fn contract_writes(&mut self, layer: usize) -> Result<(), TraceError> {
        let Some(gradients) = self.gradients.clone() else { return Ok(()) };
        let (frozen, last) = (self.frozen, self.group.last);
        let of_layer = &frozen.layers[layer];
        let read_again;
        let runs = match of_layer.runs.as_slice() {
            [] => {
                read_again = frozen.decoders.runs(layer, &of_layer.writes, &of_layer.behind, frozen.d_model)?;
                &read_again
            }
            held => held,
        };
        for run in runs.iter().filter(|run| run.first <= last) {
            let positions = run.rows.dim(0)?.min(last + 1 - run.first);
            let at = gradients.narrow(0, run.first - 1, positions)?;
            let effects = at.matmul(&run.rows.narrow(0, 0, positions)?.t()?)?;
            self.push(Of::DecoderRows { layer, first: run.first }, &effects)?;
        }
        let written = of_layer.writes.iter().take(last + 1);
        let counts: Vec<usize> = written.map(|writes| writes.as_ref().map_or(0, DecoderRows::n_rows)).collect();
        let up_to = |position: usize| counts[..=position].iter().sum::<usize>();
        let met = self.members().map(|(position, spread)| if spread { up_to(position) } else { counts[position] });
        self.operations += 2 * (met.sum::<usize>() * frozen.d_model) as u64;
        Ok(())
    }

    /// Carries the gradients through the skip connection of `layer`, from feature output to feature input.
    fn pass_skip(&mut self, layer: usize) -> Result<(), TraceError> {
        let Some(skip) = &self.frozen.layers[layer].skip else { return Ok(()) };
        let Some(gradients) = self.gradients.take() else { return Ok(()) };
        let (last, n, d) = gradients.dims3()?;
        let read = Precision::F32.product(&gradients.reshape((last * n, d))?, &skip.weight)?.reshape((last, n, d))?;
        let read = match &skip.divisor {
            Some(divisor) => read.broadcast_div(&divisor.narrow(0, 1, last)?.reshape((last, 1, 1))?)?,
            None => read,
        };
        self.gradients = Some(gradients.add(&read)?);
        self.operations += 2 * (self.rows() * d * d) as u64;
        Ok(())
    }

    /// Contracts the gradients at `layer`'s attention output with what attention carries there from position 0.
    fn contract_first_position(&mut self, layer: usize) -> Result<(), TraceError> {
        let Some(gradients) = &self.gradients else { return Ok(()) };
        let sources = self.frozen.layers[layer].from_first.narrow(0, 1, self.group.last)?;
        let effects = gradients.matmul(&sources.t()?)?;
        self.operations += 4 * (self.rows() * self.frozen.d_model) as u64;
        self.push(Of::FirstPosition, &effects)
    }

    /// Carries the gradients through attention of `layer`: residual branch, and W_O^T, the pattern transposed, W_V^T.
    /// All members are spread then. `beside_skip` holds the gradients at attention's output where the residual branch
    /// has a skip connection's added.
    fn pass_attention(&mut self, layer: usize, beside_skip: Option<Tensor>) -> Result<(), TraceError> {
        let Some(gradients) = self.gradients.take() else { return Ok(()) };
        let (whole, frozen) = (self.frozen, &self.frozen.layers[layer]);
        let (last, n, d) = gradients.dims3()?;
        let (rows, heads, kv) = (last * n, whole.n_heads, whole.n_kv_heads);
        let (d_attn, d_kv) = frozen.widths()?;
        let width = d_attn / heads;
        let written = beside_skip.as_ref().unwrap_or(&gradients).reshape((rows, d))?;
        let at_queries = whole.precision.product(&written, &frozen.output)?;
        // [positions * members, heads, width] to [kv heads, group * positions, members * width]
        let at_queries = at_queries.reshape((rows, heads, width))?.transpose(0, 1)?.contiguous()?;
        let at_queries = at_queries.reshape((kv, heads / kv * last, n * width))?;
        let pattern = frozen.pattern.narrow(1, 1, last)?.narrow(2, 1, last)?.contiguous()?;
        let pattern = pattern.reshape((kv, heads / kv * last, last))?;
        let at_keys = pattern.t()?.matmul(&at_queries)?;
        drop(at_queries);
        let at_values = at_keys.reshape((kv, rows, width))?.transpose(0, 1)?.contiguous()?.reshape((rows, d_kv))?;
        drop(at_keys);
        let carried = whole.precision.product(&at_values, &frozen.value)?.reshape((last, n, d))?;
        self.gradients = Some(gradients.add(&carried)?);
        let pairs: usize = self.members().map(|(p, is_spread)| if is_spread { p * (p + 1) / 2 } else { p }).sum();
        let before = self.rows();
        self.spread = self.joined;
        self.operations += 2 * (d * (before * d_attn + self.rows() * d_kv) + pairs * d_attn) as u64;
        Ok(())
    }

    /// Contracts the gradients that reached the embeddings.
    fn contract_tokens(&mut self) -> Result<(), TraceError> {
        let Some(gradients) = &self.gradients else { return Ok(()) };
        let kinds: Vec<Tensor> = std::iter::once(&self.frozen.embeddings)
            .chain(&self.frozen.learned)
            .map(|rows| rows.narrow(0, 1, self.group.last)?.unsqueeze(1))
            .collect::<Result<_, _>>()?;
        let effects = gradients.matmul(&Tensor::cat(&kinds, 1)?.t()?)?;
        self.push(Of::Tokens, &effects)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attribution::{Capture, Engine};
    use crate::hub::FileSource;
    use crate::job::Monitor;
    use candle_core::Device;
    use std::path::Path;

    const CASES: [&str; 5] =
        ["gemma2_clt_jumprelu", "gemma3_plt_jumprelu_skip", "gpt2_plt_relu", "llama_plt_topk", "neox_plt_relu_skip"];

    /// Targets at every layer and position, `of_each` of them in front of attention and of MLPs, in no order; every third
    /// reads at all positions up to its own.
    fn targets(n_layers: usize, n_positions: usize, d: usize, of_each: usize) -> Vec<TargetRow> {
        let noise = |i: usize| ((i as f32 * 12.9898).sin() * 43758.547).fract();
        let count = (n_layers + 1) * n_positions * of_each;
        let nth = |i: usize| {
            let (layer, position) = (i / n_positions % (n_layers + 1), i % n_positions);
            let site = if layer == n_layers || i.is_multiple_of(2) { ReadSite::Attention } else { ReadSite::Mlp };
            let reads = if i.is_multiple_of(3) { position + 1 } else { 1 };
            let read = (0..d * reads).map(|j| noise(j + 31 * i)).collect();
            TargetRow { layer, site, position, read, constant: noise(7 * i) }
        };
        // The step has no divisor in common with the count, so that each is met once.
        let step = (count / 3..)
            .find(|step| (2..=*step).all(|k| !step.is_multiple_of(k) || !count.is_multiple_of(k)))
            .unwrap();
        (0..count).map(|i| nth(i * step % count)).collect()
    }

    /// Compares the CPU's form with this one, on models with skip connections, norms behind, learned positions, a
    /// parallel residual, and features that write into several layers; with decoders held and read again.
    #[test]
    fn rows_are_those_of_the_form_for_the_cpu() {
        for case in CASES {
            let case = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(case);
            let place = |which: &str| FileSource::directory(&case.join(which)).unwrap();
            let engine = Engine::open(&place("model"), &place("transcoder"), &Device::Cpu).unwrap();
            let monitor = Monitor::default();
            let tokens = engine.read("the capital of France is").unwrap();
            let ids: Vec<u32> = tokens.iter().map(|token| token.id).collect();
            let spec = &engine.model.spec;
            let targets = targets(spec.n_layers, ids.len(), spec.d_model, 3);
            for held in [true, false] {
                let capture = Capture::run(&engine.model, &engine.transcoder, &ids, &monitor).unwrap();
                let frozen = Replacement::new(&engine.model, &engine.transcoder, capture, held, &monitor).unwrap();
                let [mut wanted, mut found] = [(); 2].map(|()| vec![0.0; targets.len() * frozen.n_columns()]);
                let block = |values| Block { values, constants: vec![0.0; targets.len()], operations: 0 };
                let (mut by_position, mut in_full) = (block(&mut wanted), block(&mut found));
                frozen.rows_by_position(&targets, &mut by_position, monitor.cancel()).unwrap();
                frozen.rows_in_full(&targets, &mut in_full, monitor.cancel()).unwrap();
                assert_eq!(in_full.operations, by_position.operations);
                let (wanted_constants, found_constants) = (by_position.constants, in_full.constants);
                let largest = wanted.iter().fold(0.0f32, |most, x| most.max(x.abs()));
                let far = |(a, b): (&f32, &f32)| (a - b).abs() > 2e-6 * largest;
                assert!(largest > 0.0 && !found.iter().zip(&wanted).any(far), "{}", case.display());
                assert!(!found_constants.iter().zip(&wanted_constants).any(far), "{}", case.display());
            }
        }
    }

    /// Checks that every target after position 0 is in one group, that a group above the allowed rows has one member,
    /// and that members are in the order of layers.
    #[test]
    fn groups_hold_each_target_once_and_stay_small() {
        for (n_positions, most_rows) in [(2, 1), (12, 40), (12, 4096), (60, 100)] {
            let targets = targets(5, n_positions, 1, 4);
            let groups = groups(&targets, most_rows);
            let mut all: Vec<usize> = groups.iter().flat_map(|group| group.members.iter().copied()).collect();
            all.sort_unstable();
            assert_eq!(all, (0..targets.len()).filter(|t| targets[*t].position > 0).collect::<Vec<_>>());
            for group in &groups {
                assert!(group.members.len() == 1 || group.members.len() * group.last <= most_rows);
                assert!(group.members.iter().all(|t| targets[*t].position <= group.last));
                let joins = |t: &usize| Reverse((targets[*t].layer, targets[*t].site == ReadSite::Mlp));
                assert!(group.members.is_sorted_by_key(joins));
            }
        }
    }
}
