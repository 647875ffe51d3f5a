//! Validation of a trace. It may come from a file, so nothing of it is taken on trust.

use crate::graph::{GraphError, RawTrace, RowTarget, Rows};

impl RawTrace {
    /// Checks every length, index and number, so that later readers of the trace need not.
    ///
    /// # Errors
    /// Fails with [`GraphError::Trace`] at the first thing that does not fit.
    pub fn validate(&self) -> Result<(), GraphError> {
        self.wrong().map_or(Ok(()), |what| Err(GraphError::Trace(what)))
    }

    fn wrong(&self) -> Option<String> {
        self.wrong_lengths()
            .or_else(|| self.wrong_active())
            .or_else(|| self.wrong_targets())
            .or_else(|| self.wrong_rows())
            .or_else(|| self.wrong_numbers())
    }

    fn wrong_lengths(&self) -> Option<String> {
        let (rows, errors) = (self.row_targets.len(), self.n_layers.checked_mul(self.n_positions()));
        let lengths = [
            ("activations", self.activations.len(), Some(self.active.len())),
            ("error norms", self.error_norms.len(), errors),
            ("row sums", self.row_abs_sums.len(), Some(rows)),
            ("row constants", self.row_constants.len(), Some(rows)),
            ("row values", self.row_values.len(), Some(rows)),
        ];
        if self.tokens.is_empty() {
            return Some("there are no tokens".into());
        }
        if self.targets.is_empty() != self.target_vectors.is_empty()
            || !self.target_vectors.len().is_multiple_of(self.targets.len().max(1))
        {
            let (vectors, targets) = (self.target_vectors.len(), self.targets.len());
            return Some(format!("{vectors} numbers of target vectors do not divide among {targets} targets"));
        }
        lengths.into_iter().find(|(_, found, wanted)| Some(*found) != *wanted).map(|(what, found, wanted)| {
            format!("there are {found} {what}, not {}", wanted.map_or("so many".into(), |n| n.to_string()))
        })
    }

    fn wrong_active(&self) -> Option<String> {
        let outside = self
            .active
            .iter()
            .find(|at| at.layer.index() >= self.n_layers || at.position.index() >= self.n_positions())
            .map(|at| format!("feature {} is at layer {}, position {}", at.feature, at.layer, at.position));
        outside.or_else(|| {
            let unordered = self.active.windows(2).position(|pair| pair[0] >= pair[1])?;
            Some(format!("active feature {} does not come after the one before it", unordered + 1))
        })
    }

    fn wrong_targets(&self) -> Option<String> {
        let mut seen_logits = vec![false; self.targets.len()];
        let mut seen_features = vec![false; self.active.len()];
        for (row, target) in self.row_targets.iter().enumerate() {
            let (seen, index, kind) = match *target {
                RowTarget::Logit(index) => (&mut seen_logits, index, "target"),
                RowTarget::Feature(index) => (&mut seen_features, index, "active feature"),
            };
            match seen.get_mut(index as usize) {
                None => return Some(format!("row {row} belongs to {kind} {index}, of which there are {}", seen.len())),
                Some(true) => return Some(format!("row {row} is a second row of {kind} {index}")),
                Some(seen) => *seen = true,
            }
        }
        (self.wanted_features > self.active.len()).then(|| {
            format!("{} features were to get rows, but only {} are active", self.wanted_features, self.active.len())
        })
    }

    fn wrong_rows(&self) -> Option<String> {
        let (n_rows, n_columns) = (self.row_targets.len(), self.n_columns());
        if let Some(cut) = &self.cut {
            let sparse = matches!(self.rows, Rows::Sparse { .. });
            if cut.block_rows == 0 || cut.dropped_share.is_some() != sparse {
                return Some(format!("its rows, sparse or not, were not computed in {cut:?}"));
            }
        }
        match &self.rows {
            Rows::Dense { values } => (n_rows.checked_mul(n_columns) != Some(values.len()))
                .then(|| format!("{n_rows} rows of {n_columns} columns hold {} values", values.len())),
            Rows::Sparse { starts, columns, values, dropped } => {
                let fits = starts.len() == n_rows + 1
                    && starts.first() == Some(&0)
                    && starts.last().and_then(|&end| usize::try_from(end).ok()) == Some(columns.len())
                    && columns.len() == values.len()
                    && dropped.len() == n_rows
                    && starts.windows(2).all(|row| row[0] <= row[1]);
                if !fits {
                    return Some("the starts of the sparse rows do not fit their columns and values".into());
                }
                let bad = starts.windows(2).position(|range| {
                    let range = range[0] as usize..range[1] as usize;
                    let row = &columns[range.clone()];
                    let bad = row.windows(2).any(|pair| pair[0] >= pair[1])
                        || row.last().is_some_and(|&last| last as usize >= n_columns);
                    columns.release(range);
                    bad
                });
                bad.map(|row| format!("the columns of row {row} do not ascend below {n_columns}")).or_else(|| {
                    let row = dropped.iter().position(|share| !(0.0..=1.0).contains(share))?;
                    Some(format!("row {row} leaves out a share of {}", dropped[row]))
                })
            }
        }
    }

    fn wrong_numbers(&self) -> Option<String> {
        let (whole, stored) = match &self.rows {
            Rows::Dense { values } => (values.as_slice(), None),
            Rows::Sparse { values, .. } => (&[][..], Some(values)),
        };
        if let Some((at, value)) = stored.and_then(|values| values.each().enumerate().find(|(_, x)| !x.is_finite())) {
            return Some(format!("number {at} of the direct effects is {value}"));
        }
        let parts = [
            ("activations", self.activations.as_slice()),
            ("error norms", &self.error_norms),
            ("final logits", &self.final_logits),
            ("target vectors", &self.target_vectors),
            ("row constants", &self.row_constants),
            ("row values", &self.row_values),
            ("direct effects", whole),
        ];
        for (what, values) in parts {
            if let Some(at) = values.iter().position(|value| !value.is_finite()) {
                return Some(format!("number {at} of the {what} is {}", values[at]));
            }
        }
        let sum = self.row_abs_sums.iter().position(|sum| !(*sum >= 0.0 && sum.is_finite()));
        sum.map(|row| format!("the absolute sum of row {row} is {}", self.row_abs_sums[row])).or_else(|| {
            let bad = self.targets.iter().find(|target| !(target.probability >= 0.0 && target.probability.is_finite()));
            bad.map(|target| format!("target {} has probability or weight {}", target.id, target.probability))
        })
    }
}
