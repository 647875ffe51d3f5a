//! Scratch: linear attribution for the demo model.
use anyhow::Result;
use candle_core::{D, Tensor, Device};
use crate::model::*;
use crate::transcoder::Transcoder;

pub struct Graph { pub features: Vec<(usize, usize, usize, f32)>, pub kept: Vec<bool>, pub replacement: f64, pub completeness: f64, pub rows_residual: f32, pub influence: Vec<f64> }

pub fn trace(model: &Llama, clt: &Transcoder, tokens: &[u32]) -> Result<Graph> {
    let dev = Device::Cpu;
    let p_count = tokens.len();
    let batch = Batch::new(&[tokens.to_vec()])?;
    let (logits, tr) = model.forward(&batch, &mut |_, _, o| Ok(o.clone()))?;
    let embed = model.embed.index_select(&batch.tokens, 0)?;
    let mut patterns = vec![]; let mut div_attn = vec![]; let mut div_mlp = vec![];
    for l in 0..LAYERS {
        let pre = if l == 0 { embed.clone() } else { tr.resid_post[l-1].clone() };
        let layer = &model.layers[l];
        let n = rms_norm(&pre, &layer.input_norm)?;
        patterns.push(model.pattern(layer, &n, &batch)?.squeeze(0)?);
        let mid = (&pre + model.attention(layer, &n, &batch)?)?;
        div_attn.push((pre.sqr()?.mean_keepdim(D::Minus1)? + NORM_EPS)?.sqrt()?);
        div_mlp.push((mid.sqr()?.mean_keepdim(D::Minus1)? + NORM_EPS)?.sqrt()?.flatten_all()?.to_vec1::<f32>()?);
    }
    let last = p_count - 1;
    let div_final = (tr.resid_post[LAYERS-1].narrow(0, last, 1)?.sqr()?.mean_all()? + NORM_EPS)?.sqrt()?.to_scalar::<f32>()?;
    // features
    let mut feats = vec![]; let mut acts = vec![];
    for l in 0..LAYERS {
        let a = clt.layers[l].encode(&tr.mlp_in[l])?;
        let mut v = a.to_vec2::<f32>()?;
        v[0].iter_mut().for_each(|x| *x = 0.0);
        for (p, row) in v.iter().enumerate() { for (f, &x) in row.iter().enumerate() { if x != 0.0 { feats.push((l, p, f, x)); } } }
        let shape = (p_count, v[0].len());
        acts.push(Tensor::from_vec(v.concat(), shape, &dev)?);
    }
    let probs = log_softmax(&logits.narrow(0, last, 1)?)?.exp()?.squeeze(0)?.to_vec1::<f32>()?;
    let mut order: Vec<usize> = (0..probs.len()).collect();
    order.sort_by(|&a, &b| probs[b].total_cmp(&probs[a]));
    let mut targets = vec![]; let mut cum = 0.0;
    for &t in order.iter().take(10) { targets.push(t); cum += probs[t]; if cum >= 0.95 { break; } }
    let (nf, nl) = (feats.len(), targets.len());
    let t_count = nf + nl;
    let n = nf + LAYERS * p_count + p_count + nl; // order: feats, errors, tokens, logits
    let mut a = vec![0.0f64; n * n];
    let row_of = |t: usize| if t < nf { t } else { n - nl + (t - nf) };
    let mut g = Tensor::zeros((t_count, p_count, WIDTH), candle_core::DType::F32, &dev)?;
    // logits
    {
        let mean = model.embed.mean_keepdim(0)?;
        let mut inj = vec![0f32; t_count * p_count * WIDTH];
        for (i, &t) in targets.iter().enumerate() {
            let r = ((model.embed.narrow(0, t, 1)? - &mean)?.broadcast_mul(&model.norm)? / div_final as f64)?.flatten_all()?.to_vec1::<f32>()?;
            let at = ((nf + i) * p_count + last) * WIDTH;
            inj[at..at + WIDTH].copy_from_slice(&r);
        }
        g = (g + Tensor::from_vec(inj, (t_count, p_count, WIDTH), &dev)?)?;
    }
    let mut constants = vec![0.0f64; t_count];
    for l in (0..LAYERS).rev() {
        // contributions at mlp_out of layer l
        for p in 0..p_count {
            let gp = g.narrow(1, p, 1)?.squeeze(1)?; // [T,d]
            let mut rec = clt.layers[l].decoder_bias.clone();
            for k in 0..=l {
                rec = (rec + clt.layers[k].write(&acts[k].narrow(0, p, 1)?, l - k)?.squeeze(0)?)?;
            }
            let cols: Vec<usize> = (0..nf).filter(|&i| feats[i].0 <= l && feats[i].1 == p).collect();
            if p > 0 {
                for &c in &cols {
                    let (k, _, f, v) = feats[c];
                    let d = (clt.layers[k].decoder.narrow(0, f, 1)?.narrow(1, (l - k) * WIDTH, WIDTH)?.t()? * v as f64)?;
                    let e = gp.matmul(&d.contiguous()?)?.flatten_all()?.to_vec1::<f32>()?;
                    for t in 0..t_count { a[row_of(t) * n + c] += e[t] as f64; }
                }
                let err = (tr.mlp_out[l].narrow(0, p, 1)?.squeeze(0)? - rec)?.unsqueeze(1)?;
                let e = gp.matmul(&err)?.flatten_all()?.to_vec1::<f32>()?;
                for t in 0..t_count { a[row_of(t) * n + nf + l * p_count + p] += e[t] as f64; }
                let b = gp.matmul(&clt.layers[l].decoder_bias.unsqueeze(1)?)?.flatten_all()?.to_vec1::<f32>()?;
                for t in 0..t_count { constants[t] += b[t] as f64; }
            } else {
                let b = gp.matmul(&tr.mlp_out[l].narrow(0, 0, 1)?.t()?.contiguous()?)?.flatten_all()?.to_vec1::<f32>()?;
                for t in 0..t_count { constants[t] += b[t] as f64; }
            }
        }
        // injection
        let mut inj = vec![0f32; t_count * p_count * WIDTH];
        for (i, &(fl, p, f, _)) in feats.iter().enumerate() {
            if fl != l { continue; }
            let r = ((clt.layers[l].encoder.narrow(0, f, 1)?.squeeze(0)? * &model.layers[l].mlp_norm)? / div_mlp[l][p] as f64)?.to_vec1::<f32>()?;
            let at = (i * p_count + p) * WIDTH;
            inj[at..at + WIDTH].copy_from_slice(&r);
        }
        g = (g + Tensor::from_vec(inj, (t_count, p_count, WIDTH), &dev)?)?;
        // attention backward
        let layer = &model.layers[l];
        let go = g.reshape((t_count * p_count, WIDTH))?.matmul(&layer.o)?.reshape((t_count, p_count, HEADS, HEAD_WIDTH))?.transpose(1, 2)?.contiguous()?;
        let pt = patterns[l].t()?.contiguous()?.unsqueeze(0)?.broadcast_as((t_count, HEADS, p_count, p_count))?.contiguous()?;
        let gv = pt.matmul(&go)?.transpose(1, 2)?.reshape((t_count * p_count, HEADS * HEAD_WIDTH))?;
        let gx = gv.matmul(&layer.v)?.broadcast_mul(&layer.input_norm)?.reshape((t_count, p_count, WIDTH))?.broadcast_div(&div_attn[l])?;
        g = (g + gx)?;
    }
    for p in 0..p_count {
        let e = g.narrow(1, p, 1)?.squeeze(1)?.matmul(&embed.narrow(0, p, 1)?.t()?.contiguous()?)?.flatten_all()?.to_vec1::<f32>()?;
        for t in 0..t_count { a[row_of(t) * n + nf + LAYERS * p_count + p] = e[t] as f64; }
    }
    // row sums
    let mut resid: f32 = 0.0;
    for (i, &(l, _, f, v)) in feats.iter().enumerate() {
        let b = clt.layers[l].encoder_bias.narrow(0, f, 1)?.squeeze(0)?.to_scalar::<f32>()? as f64;
        let row = &a[i * n..(i + 1) * n];
        let s: f64 = row.iter().sum::<f64>() + constants[i] + b;
        let abs: f64 = row.iter().map(|x| x.abs()).sum::<f64>() + constants[i].abs() + b.abs();
        resid = resid.max(((s - v as f64).abs() / abs) as f32);
    }
    // influence
    let p: Vec<f64> = (0..n).map(|i| if i >= n - nl { probs[targets[i - (n - nl)]] as f64 } else { 0.0 }).collect();
    let normalize = |a: &[f64]| { let mut m: Vec<f64> = a.iter().map(|x| x.abs()).collect(); for r in m.chunks_mut(n) { let s = r.iter().sum::<f64>().max(1e-10); r.iter_mut().for_each(|x| *x /= s); } m };
    let influence = |m: &[f64]| { let mut tot = vec![0.0; n]; let mut cur = p.clone(); for _ in 0..2 * n { let mut next = vec![0.0; n]; for t in 0..n { if cur[t] != 0.0 { for s in 0..n { next[s] += cur[t] * m[t * n + s]; } } } if next.iter().all(|&x| x == 0.0) { break; } for s in 0..n { tot[s] += next[s]; } cur = next; } tot };
    let m = normalize(&a);
    let inf = influence(&m);
    let (es, ts) = (nf, nf + LAYERS * p_count);
    let err: f64 = inf[es..ts].iter().sum(); let tok: f64 = inf[ts..ts + p_count].iter().sum();
    let mut num = 0.0; let mut den = 0.0;
    for t in 0..n { let e: f64 = m[t * n + es..t * n + ts].iter().sum(); let w = inf[t] + p[t]; num += w * (1.0 - e); den += w; }
    let threshold = |v: &[f64], tau: f64| { let mut s = v.to_vec(); s.sort_by(|a, b| b.total_cmp(a)); let total: f64 = s.iter().sum(); let mut c = 0.0; for &x in &s { c += x; if c / total >= tau { return x; } } *s.last().unwrap() };
    let th = threshold(&inf, 0.8);
    let mut kept: Vec<bool> = (0..n).map(|i| inf[i] >= th || i >= ts).collect();
    let mut b = a.clone();
    for t in 0..n { for s in 0..n { if !kept[t] || !kept[s] { b[t * n + s] = 0.0; } } }
    let m2 = normalize(&b); let inf2 = influence(&m2);
    let scores: Vec<f64> = (0..n * n).map(|i| m2[i] * (inf2[i / n] + p[i / n])).collect();
    let th = threshold(&scores, 0.98);
    let mut edge: Vec<bool> = (0..n * n).map(|i| scores[i] >= th && b[i] != 0.0).collect();
    loop {
        let mut changed = false;
        for i in 0..ts { if !kept[i] { continue; }
            let out = (0..n).any(|t| edge[t * n + i]); let inn = (0..n).any(|s| edge[i * n + s]);
            if !out || (i < nf && !inn) { kept[i] = false; changed = true; for j in 0..n { edge[j * n + i] = false; edge[i * n + j] = false; } }
        }
        if !changed { break; }
    }
    Ok(Graph { features: feats, kept, replacement: tok / (tok + err), completeness: num / den, rows_residual: resid, influence: inf })
}
