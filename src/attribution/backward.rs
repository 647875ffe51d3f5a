//! Linear backward pass: rows of the attribution graph, many targets at a time.
//!
//! Each target starts at its own layer and reaches no position after its own. Rows lie in blocks by position, so that
//! the products with one layer's weights are one matrix product over all of them. Position 0 is not carried: the
//! gradient that would flow into it is contracted with what the forward pass propagated there (see `Replacement`).

use crate::attribution::TraceError;
use crate::attribution::attention_backward::{ActiveTarget, Blocks, Heads, Source, through_attention};
use crate::attribution::replacement::Replacement;
use crate::attribution::target_row::{ReadSite, TargetRow};
use crate::job::Cancel;
use crate::model::Precision;
use crate::parallel;
use candle_core::Tensor;

/// Operations of a matrix product between two checks of the cancel flag: 20 ms at 100 GFLOP/s.
const PIECE_OPERATIONS: usize = 2_000_000_000;

/// Rows of the attribution graph that are being computed.
pub(super) struct Block<'a> {
    /// `[targets, columns]`: active features, errors, tokens.
    pub values: &'a mut [f32],
    /// Constant part of each target's value, `[targets]`.
    pub constants: Vec<f32>,
    /// Floating-point operations of the matrix products and of the entry-by-entry attention patterns.
    pub operations: u64,
}

/// Gradients at the layer that the backward pass has reached.
struct Flow<'a> {
    targets: &'a [TargetRow],
    /// Targets whose gradient is spread over positions, by descending position.
    spread: Vec<usize>,
    blocks: Blocks,
    /// Gradients of the spread targets, `[blocks.rows(), d]`.
    rows: Option<Tensor>,
    /// Targets whose gradient stands at their own position alone, by descending position.
    fresh: Vec<usize>,
    /// Gradients of the fresh targets, `[fresh, d]`.
    fresh_rows: Option<Tensor>,
}

impl Flow<'_> {
    /// Returns all rows, the spread ones first.
    fn all_rows(&self) -> Result<Option<Tensor>, TraceError> {
        let parts: Vec<&Tensor> = self.rows.iter().chain(&self.fresh_rows).collect();
        Ok(match parts.as_slice() {
            [] => None,
            [one] => Some((*one).clone()),
            several => Some(Tensor::cat(several, 0)?),
        })
    }

    /// Returns the rows of each position with the targets that they belong to.
    fn by_position(&self, n_positions: usize) -> Result<Vec<(usize, Tensor, Vec<usize>)>, TraceError> {
        let mut parts = Vec::new();
        for k in 1..n_positions {
            if let Some(rows) = &self.rows {
                let (start, count) = self.blocks.block(k);
                if count > 0 {
                    parts.push((k, rows.narrow(0, start, count)?, self.spread[..count].to_vec()));
                }
            }
            if let Some(rows) = &self.fresh_rows {
                let start = self.fresh.partition_point(|t| self.targets[*t].position > k);
                let end = self.fresh.partition_point(|t| self.targets[*t].position >= k);
                if start < end {
                    parts.push((k, rows.narrow(0, start, end - start)?, self.fresh[start..end].to_vec()));
                }
            }
        }
        Ok(parts)
    }
}

impl Replacement {
    /// Returns the number of columns of a row, which is that of sources.
    pub fn n_columns(&self) -> usize {
        self.sources.n_columns()
    }

    /// Adds the direct effects on `targets` to `values` `[targets, columns]`, which hold zeros; returns each target's
    /// constant part and the floating-point operations.
    ///
    /// # Errors
    /// Fails where a tensor operation failed, or the work was stopped.
    pub fn rows(
        &self,
        targets: &[TargetRow],
        values: &mut [f32],
        cancel: &Cancel,
    ) -> Result<(Vec<f32>, u64), TraceError> {
        let mut block =
            Block { values, constants: targets.iter().map(|target| target.constant).collect(), operations: 0 };
        self.read_first_position(targets, &mut block)?;
        if self.device.is_cpu() {
            self.rows_by_position(targets, &mut block, cancel)?;
        } else {
            self.rows_in_full(targets, &mut block, cancel)?;
        }
        Ok((block.constants, block.operations))
    }

    /// Does the work of [`Replacement::rows`] on the CPU, except for targets at position 0.
    pub(super) fn rows_by_position(
        &self,
        targets: &[TargetRow],
        block: &mut Block<'_>,
        cancel: &Cancel,
    ) -> Result<(), TraceError> {
        let mut flow = Flow {
            targets,
            spread: Vec::new(),
            blocks: Blocks::new(self.n_positions, std::iter::empty()),
            rows: None,
            fresh: Vec::new(),
            fresh_rows: None,
        };
        let n_layers = self.layers.len();
        self.join(&mut flow, (n_layers, ReadSite::Attention))?;
        let top = targets.iter().map(|target| target.layer.min(n_layers - 1)).max().unwrap_or(0);
        for layer in (0..=top).rev() {
            cancel.check()?;
            self.contract_writes(&flow, layer, block, cancel)?;
            let mut beside_skip = None;
            if self.parallel_residual {
                self.contract_first_position(&flow, layer, block)?;
                if self.layers[layer].skip.is_some() {
                    beside_skip = flow.all_rows()?;
                    self.pass_skip(&mut flow, layer, block, cancel)?;
                }
            } else {
                self.pass_skip(&mut flow, layer, block, cancel)?;
                self.join(&mut flow, (layer, ReadSite::Mlp))?;
                self.contract_first_position(&flow, layer, block)?;
            }
            cancel.check()?;
            self.pass_attention(&mut flow, layer, beside_skip, block, cancel)?;
            self.join(&mut flow, (layer, ReadSite::Attention))?;
        }
        self.contract_tokens(&flow, block)
    }

    /// Returns where a target joins on the way down: a layer, and the part of it that it reads in front of. With a
    /// parallel residual an MLP reads the stream in front of attention.
    pub(super) fn joins(&self, target: &TargetRow) -> (usize, ReadSite) {
        (target.layer, if self.parallel_residual { ReadSite::Attention } else { target.site })
    }

    /// Adds the effects on targets that read at position 0.
    fn read_first_position(&self, targets: &[TargetRow], block: &mut Block<'_>) -> Result<(), TraceError> {
        for (i, target) in targets.iter().enumerate() {
            let Some(read) = target.read_at(0, self.d_model) else { continue };
            let (layer, site) = self.joins(target);
            let streams: Vec<Vec<f32>> = match site {
                ReadSite::Attention => self.first_position[layer].to_vec2()?,
                ReadSite::Mlp => self.first_position_mid[layer].to_vec2()?,
            };
            let dot = |stream: &[f32]| stream.iter().zip(read).map(|(a, b)| a * b).sum::<f32>();
            block.values[i * self.n_columns() + self.token_column(0)] += dot(&streams[0]);
            block.constants[i] += dot(&streams[1]);
        }
        Ok(())
    }

    /// Returns the column of a token.
    pub(super) fn token_column(&self, position: usize) -> usize {
        self.sources.token_column(position)
    }

    /// Adds the targets that read `at` this point to the flow.
    fn join(&self, flow: &mut Flow<'_>, at: (usize, ReadSite)) -> Result<(), TraceError> {
        let targets = flow.targets;
        let joins = |target: &TargetRow| self.joins(target) == at && target.position > 0;
        let new = (0..targets.len()).filter(|i| joins(&targets[*i]));
        let (several, new): (Vec<usize>, Vec<usize>) = new.partition(|i| targets[*i].reads_several(self.d_model));
        self.join_spread(flow, &several)?;
        if new.is_empty() {
            return Ok(());
        }
        let old = std::mem::take(&mut flow.fresh);
        let reads: Vec<f32> = new.iter().flat_map(|i| targets[*i].read.iter().copied()).collect();
        let reads = Tensor::from_vec(reads, (new.len(), self.d_model), &self.device)?;
        let rows = match flow.fresh_rows.take() {
            Some(rows) => Tensor::cat(&[&rows, &reads], 0)?,
            None => reads,
        };
        let unsorted: Vec<usize> = old.into_iter().chain(new).collect();
        let mut order: Vec<u32> = (0..unsorted.len() as u32).collect();
        order.sort_by_key(|i| std::cmp::Reverse(targets[unsorted[*i as usize]].position));
        flow.fresh = order.iter().map(|i| unsorted[*i as usize]).collect();
        let order = Tensor::from_vec(order, unsorted.len(), &self.device)?;
        flow.fresh_rows = Some(rows.index_select(&order, 0)?);
        Ok(())
    }

    /// Adds targets that read at all positions up to their own to the flow.
    fn join_spread(&self, flow: &mut Flow<'_>, new: &[usize]) -> Result<(), TraceError> {
        if new.is_empty() {
            return Ok(());
        }
        /// Place of a member's rows: an offset into each block, or the row from which those of positions 1 to its last
        /// follow.
        enum Rows {
            InBlocks(usize),
            From(usize),
        }
        let (targets, d, old_rows) = (flow.targets, self.d_model, flow.blocks.rows());
        let mut reads = Vec::new();
        let spread = flow.spread.iter().enumerate().map(|(rank, target)| (*target, Rows::InBlocks(rank)));
        let mut members: Vec<(usize, Rows)> = spread.collect();
        for target in new {
            members.push((*target, Rows::From(old_rows + reads.len() / d)));
            reads.extend_from_slice(&targets[*target].read[d..]);
        }
        members.sort_by_key(|(target, _)| std::cmp::Reverse(targets[*target].position));
        let merged = Blocks::new(self.n_positions, members.iter().map(|(target, _)| targets[*target].position));
        let mut from = Vec::with_capacity(merged.rows());
        for k in 1..self.n_positions {
            from.extend(members[..merged.block(k).1].iter().map(|(_, rows)| match rows {
                Rows::InBlocks(rank) => (flow.blocks.block(k).0 + rank) as u32,
                Rows::From(first) => (first + k - 1) as u32,
            }));
        }
        let n_reads = reads.len() / d;
        let reads = Tensor::from_vec(reads, (n_reads, d), &self.device)?;
        let rows = match flow.rows.take() {
            Some(rows) => Tensor::cat(&[&rows, &reads], 0)?,
            None => reads,
        };
        flow.rows = Some(rows.index_select(&Tensor::from_vec(from, merged.rows(), &self.device)?, 0)?);
        flow.spread = members.into_iter().map(|(target, _)| target).collect();
        flow.blocks = merged;
        Ok(())
    }

    /// Contracts the gradient at `layer`'s feature output with what was written there.
    fn contract_writes(
        &self,
        flow: &Flow<'_>,
        layer: usize,
        block: &mut Block<'_>,
        cancel: &Cancel,
    ) -> Result<(), TraceError> {
        let (columns, d, frozen) = (self.n_columns(), self.d_model, &self.layers[layer]);
        let parts = flow.by_position(self.n_positions)?;
        let work = |nth: usize| -> Result<Vec<f32>, TraceError> {
            cancel.check()?;
            let (position, rows, _) = &parts[nth];
            let Some(writes) = &frozen.writes[*position] else { return Ok(Vec::new()) };
            let written = self.decoders.rows(layer, writes, &frozen.behind, d)?;
            Ok(rows.matmul(&written.t()?)?.flatten_all()?.to_vec1()?)
        };
        let effects: Vec<Vec<f32>> = parallel::map(parts.len(), work)?;
        if parts.iter().any(|(position, ..)| frozen.writes[*position].as_ref().is_some_and(|w| !w.is_held())) {
            self.decoders.release(layer);
        }
        for ((position, _, whose), effects) in parts.iter().zip(effects) {
            let Some(writes) = &frozen.writes[*position] else { continue };
            let n = writes.n_rows();
            block.operations += 2 * (whose.len() * n * d) as u64;
            for (target, effects) in whose.iter().zip(effects.chunks(n)) {
                let out = &mut block.values[target * columns..(target + 1) * columns];
                writes.add(effects, out, &mut block.constants[*target]);
            }
        }
        Ok(())
    }

    /// Carries the gradient through the skip connection of `layer`, from feature output to feature input.
    fn pass_skip(
        &self,
        flow: &mut Flow<'_>,
        layer: usize,
        block: &mut Block<'_>,
        cancel: &Cancel,
    ) -> Result<(), TraceError> {
        let Some(skip) = &self.layers[layer].skip else { return Ok(()) };
        let mut through = |rows: &Tensor, positions: Vec<u32>| -> Result<Tensor, TraceError> {
            block.operations += 2 * (positions.len() * self.d_model * self.d_model) as u64;
            let read = product(rows, &skip.weight, Precision::F32, cancel)?;
            let read = match &skip.divisor {
                Some(divisor) => {
                    let n = positions.len();
                    read.broadcast_div(&divisor.index_select(&Tensor::from_vec(positions, n, &self.device)?, 0)?)?
                }
                None => read,
            };
            Ok(rows.add(&read)?)
        };
        if let Some(rows) = &flow.rows {
            let positions =
                (1..self.n_positions).flat_map(|k| std::iter::repeat_n(k as u32, flow.blocks.block(k).1)).collect();
            flow.rows = Some(through(rows, positions)?);
        }
        if let Some(rows) = &flow.fresh_rows {
            let positions = flow.fresh.iter().map(|t| flow.targets[*t].position as u32).collect();
            flow.fresh_rows = Some(through(rows, positions)?);
        }
        Ok(())
    }

    /// Contracts the gradient at `layer`'s attention output with what attention carries there from position 0.
    fn contract_first_position(&self, flow: &Flow<'_>, layer: usize, block: &mut Block<'_>) -> Result<(), TraceError> {
        let (columns, token) = (self.n_columns(), self.token_column(0));
        for (position, rows, whose) in flow.by_position(self.n_positions)? {
            let sources = self.layers[layer].from_first.get(position)?;
            let effects: Vec<Vec<f32>> = rows.matmul(&sources.t()?)?.to_vec2()?;
            block.operations += 4 * (whose.len() * self.d_model) as u64;
            for (target, effects) in whose.iter().zip(effects) {
                block.values[target * columns + token] += effects[0];
                block.constants[*target] += effects[1];
            }
        }
        Ok(())
    }

    /// Carries the gradient through attention of `layer`: residual branch, and W_O^T, the pattern transposed, W_V^T.
    /// Unspread targets become spread. `beside_skip` holds the gradients at attention's output where a skip connection
    /// beside it has been added to the residual branch.
    fn pass_attention(
        &self,
        flow: &mut Flow<'_>,
        layer: usize,
        beside_skip: Option<Tensor>,
        block: &mut Block<'_>,
        cancel: &Cancel,
    ) -> Result<(), TraceError> {
        let frozen = &self.layers[layer];
        let Some(input) = flow.all_rows()? else { return Ok(()) };
        let position = |target: usize| flow.targets[target].position;
        let spread = flow.spread.iter().enumerate().map(|(rank, t)| (*t, Source::Spread(rank)));
        let fresh = flow.fresh.iter().enumerate().map(|(row, t)| (*t, Source::Unspread(row)));
        let mut members: Vec<ActiveTarget> = spread
            .chain(fresh)
            .map(|(target, source)| ActiveTarget { target, position: position(target), source })
            .collect();
        // Stable: where nothing is fresh the order stays, and rows need no moving.
        members.sort_by_key(|member| std::cmp::Reverse(member.position));
        let merged = Blocks::new(self.n_positions, members.iter().map(|member| member.position));
        let at_queries = product(beside_skip.as_ref().unwrap_or(&input), &frozen.output, self.precision, cancel)?;
        drop(beside_skip);
        let heads = Heads {
            pattern: &frozen.pattern,
            n_heads: self.n_heads,
            n_kv_heads: self.n_kv_heads,
            n_positions: self.n_positions,
        };
        let at_values = through_attention(&heads, &at_queries, &members, &flow.blocks, &merged, cancel)?;
        let (d_attn, d_kv) = (at_queries.dim(1)?, at_values.dim(1)?);
        drop(at_queries);
        let carried = product(&at_values, &frozen.value, self.precision, cancel)?;
        drop(at_values);
        block.operations += 2 * (self.d_model * (input.dim(0)? * d_attn + merged.rows() * d_kv)) as u64;
        let pairs: usize = members.iter().map(ActiveTarget::pairs).sum();
        block.operations += 2 * (pairs * d_attn) as u64;
        let stays = if flow.fresh.is_empty() { input } else { self.spread_out(&input, &members, flow, &merged)? };
        flow.rows = Some(stays.add(&carried)?);
        flow.spread = members.iter().map(|member| member.target).collect();
        flow.blocks = merged;
        flow.fresh.clear();
        flow.fresh_rows = None;
        Ok(())
    }

    /// Lays `input` (spread rows, then fresh ones) out in the blocks of all members; a fresh member's rows are 0 except
    /// at its own position.
    fn spread_out(
        &self,
        input: &Tensor,
        members: &[ActiveTarget],
        flow: &Flow<'_>,
        merged: &Blocks,
    ) -> Result<Tensor, TraceError> {
        let zero = input.dim(0)? as u32;
        let padded = Tensor::cat(&[input, &Tensor::zeros((1, self.d_model), input.dtype(), &self.device)?], 0)?;
        let mut from = Vec::with_capacity(merged.rows());
        for k in 1..self.n_positions {
            from.extend(members[..merged.block(k).1].iter().map(|member| match member.source {
                Source::Spread(rank) => (flow.blocks.block(k).0 + rank) as u32,
                Source::Unspread(row) if member.position == k => (flow.blocks.rows() + row) as u32,
                Source::Unspread(_) => zero,
            }));
        }
        Ok(padded.index_select(&Tensor::from_vec(from, merged.rows(), &self.device)?, 0)?)
    }

    /// Contracts the gradients that reached the embeddings.
    fn contract_tokens(&self, flow: &Flow<'_>, block: &mut Block<'_>) -> Result<(), TraceError> {
        let columns = self.n_columns();
        for (position, rows, whose) in flow.by_position(self.n_positions)? {
            let embedding = self.embeddings.narrow(0, position, 1)?;
            let effects: Vec<f32> = rows.matmul(&embedding.t()?)?.flatten_all()?.to_vec1()?;
            for (target, effect) in whose.iter().zip(effects) {
                block.values[target * columns + self.token_column(position)] += effect;
            }
            if let Some(learned) = &self.learned {
                let effects = rows.matmul(&learned.narrow(0, position, 1)?.t()?)?.flatten_all()?.to_vec1::<f32>()?;
                whose.iter().zip(effects).for_each(|(target, effect)| block.constants[*target] += effect);
            }
        }
        Ok(())
    }
}

/// Multiplies `rows` `[n, k]` by `weight` `[k, m]`, checking now and then whether to stop.
fn product(rows: &Tensor, weight: &Tensor, precision: Precision, cancel: &Cancel) -> Result<Tensor, TraceError> {
    let ((n, k), m) = (rows.dims2()?, weight.dim(1)?);
    let step = (PIECE_OPERATIONS / (2 * k * m).max(1)).max(1);
    cancel.check()?;
    if n <= step {
        return Ok(precision.product(rows, weight)?);
    }
    let out = Tensor::zeros((n, m), rows.dtype(), rows.device())?;
    for start in (0..n).step_by(step) {
        cancel.check()?;
        out.slice_set(&precision.product(&rows.narrow(0, start, step.min(n - start))?, weight)?, 0, start)?;
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attribution::{Capture, Engine};
    use crate::hub::FileSource;
    use crate::job::Monitor;
    use candle_core::Device;
    use std::path::Path;

    /// Compares held decoders with decoders read again for each block, and block sizes, on a model whose features write
    /// into several layers and through a norm behind them.
    #[test]
    fn rows_do_not_depend_on_what_is_held() {
        let case = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/gemma2_clt_jumprelu");
        let place = |which: &str| FileSource::directory(&case.join(which)).unwrap();
        let engine = Engine::open(&place("model"), &place("transcoder"), &Device::Cpu).unwrap();
        let ids: Vec<u32> = engine.read("the capital of France is").unwrap().iter().map(|token| token.id).collect();
        let (d, n_layers, monitor) = (engine.model.spec.d_model, engine.model.spec.n_layers, Monitor::default());
        let noise = |i: usize| ((i as f32 * 12.9898).sin() * 43758.547).fract();
        let targets: Vec<TargetRow> = (0..=n_layers)
            .flat_map(|layer| (1..ids.len()).map(move |position| (layer, position)))
            .map(|(layer, position)| {
                let read = (0..d).map(|i| noise(i + 100 * layer + 7 * position)).collect();
                TargetRow { layer, site: ReadSite::Mlp, position, read, constant: 0.5 }
            })
            .collect();
        let [held, read_again] = [true, false].map(|held| {
            let capture = Capture::run(&engine.model, &engine.transcoder, &ids, &monitor).unwrap();
            Replacement::new(&engine.model, &engine.transcoder, capture, held, &monitor).unwrap()
        });
        let width = held.n_columns();
        let rows = |frozen: &Replacement, targets: &[TargetRow]| {
            let mut values = vec![0.0; targets.len() * width];
            let (constants, _) = frozen.rows(targets, &mut values, monitor.cancel()).unwrap();
            (values, constants)
        };
        let wanted = rows(&held, &targets);
        assert_eq!(rows(&read_again, &targets), wanted);
        assert_eq!(held.error_norms, read_again.error_norms);
        let largest = wanted.0.iter().fold(0.0f32, |most, x| most.max(x.abs()));
        for (nth, some) in targets.chunks(5).enumerate() {
            let (values, _) = rows(&read_again, some);
            let wanted = &wanted.0[nth * 5 * width..];
            assert!(values.iter().zip(wanted).all(|(a, b)| (a - b).abs() <= 1e-6 * largest));
        }
    }
}
