//! The cells' equations, and their derivatives, over the units of one row at one step.

use crate::kernels::Real;
use crate::kernels::special::sigmoid;

/// The computation of one step of a recurrent layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cell {
    /// `h' = tanh(a)`
    Elman,
    /// Gates i, f, g, o: `c' = σ(f) c + σ(i) tanh(g)`, `h' = σ(o) tanh(c')`.
    Lstm,
    /// Gates r, z, n, the last of `p + σ(r) q` with the shares of input and state apart:
    /// `h' = (1 − σ(z)) tanh(n) + σ(z) h`.
    Gru,
}

impl Cell {
    pub(crate) fn num_gates(self) -> usize {
        match self {
            Cell::Elman => 1,
            Cell::Lstm => 4,
            Cell::Gru => 3,
        }
    }

    /// Whether the shares of input and state, biases included, only ever meet as their sum.
    pub(super) fn sums_biases(self) -> bool {
        self != Cell::Gru
    }

    /// Whether there is something to keep beside the gates and the state.
    pub(super) fn has_inner(self) -> bool {
        self != Cell::Elman
    }
}

/// The gates of a row, each as wide as `N` says the row is cut.
#[inline(always)]
fn cut<const N: usize, T>(gates: &mut [T]) -> [&mut [T]; N] {
    let hidden = gates.len() / N;
    let mut rest = gates;
    std::array::from_fn(|_| {
        let (gate, others) = std::mem::take(&mut rest).split_at_mut(hidden);
        rest = others;
        gate
    })
}

vectorised! {
    /// The state from the gate's sum, which is kept in the state alone.
    pub(super) fn elman<T: Real>(gates: &[T], state: &mut [T]) {
        for (h, &a) in state.iter_mut().zip(gates) {
            *h = a.tanh();
        }
    }

    /// The gate's place gets the gradient of its sum.
    pub(super) fn elman_back<T: Real>(gates: &mut [T], state: &[T], gradient: &[T], flow: &[T]) {
        let len = gates.len();
        let (state, gradient, flow) = (&state[..len], &gradient[..len], &flow[..len]);
        for j in 0..len {
            gates[j] = (gradient[j] + flow[j]) * (T::ONE - state[j] * state[j]);
        }
    }

    /// The gates' sums become the gates; memory and state follow.
    pub(in crate::kernels) fn lstm<T: Real>(gates: &mut [T], before: &[T], memory: &mut [T], state: &mut [T]) {
        let [i, f, g, o] = cut::<4, T>(gates);
        let len = state.len();
        let (i, f, g, o) = (&mut i[..len], &mut f[..len], &mut g[..len], &mut o[..len]);
        let (before, memory) = (&before[..len], &mut memory[..len]);
        for j in 0..len {
            i[j] = sigmoid(i[j]);
            f[j] = sigmoid(f[j]);
            g[j] = g[j].tanh();
            o[j] = sigmoid(o[j]);
            memory[j] = f[j] * before[j] + i[j] * g[j];
            state[j] = o[j] * memory[j].tanh();
        }
    }

    /// The gates become the gradients of their sums, and `memory` that of the memory before.
    pub(in crate::kernels) fn lstm_back<T: Real>(
        gates: &mut [T],
        before: &[T],
        now: &[T],
        gradient: &[T],
        flow: &[T],
        memory: &mut [T],
    ) {
        let [i, f, g, o] = cut::<4, T>(gates);
        let len = memory.len();
        let (i, f, g, o) = (&mut i[..len], &mut f[..len], &mut g[..len], &mut o[..len]);
        let (before, now) = (&before[..len], &now[..len]);
        let (gradient, flow) = (&gradient[..len], &flow[..len]);
        for j in 0..len {
            let dh = gradient[j] + flow[j];
            let tanh = now[j].tanh();
            let dc = memory[j] + dh * o[j] * (T::ONE - tanh * tanh);
            let [gi, gf, gg, go] = [i[j], f[j], g[j], o[j]];
            i[j] = dc * gg * gi * (T::ONE - gi);
            f[j] = dc * before[j] * gf * (T::ONE - gf);
            g[j] = dc * gi * (T::ONE - gg * gg);
            o[j] = dh * tanh * go * (T::ONE - go);
            memory[j] = dc * gf;
        }
    }

    /// The inputs' share of the sums becomes the gates; `share` keeps the state's in the new gate.
    pub(super) fn gru<T: Real>(
        gates: &mut [T],
        recurred: &[T],
        before: &[T],
        share: &mut [T],
        state: &mut [T],
    ) {
        let [r, z, n] = cut::<3, T>(gates);
        let len = state.len();
        let (r, z, n) = (&mut r[..len], &mut z[..len], &mut n[..len]);
        let (qr, qz) = (&recurred[..len], &recurred[len..2 * len]);
        let qn = &recurred[2 * len..3 * len];
        let (before, share) = (&before[..len], &mut share[..len]);
        for j in 0..len {
            r[j] = sigmoid(r[j] + qr[j]);
            z[j] = sigmoid(z[j] + qz[j]);
            share[j] = qn[j];
            n[j] = (n[j] + r[j] * qn[j]).tanh();
            state[j] = n[j] + z[j] * (before[j] - n[j]);
        }
    }

    /// The gates become the gradients of the inputs' share, `recurred` gets those of the state's,
    /// and `direct` what reaches the state before by the update gate.
    pub(super) fn gru_back<T: Real>(
        gates: &mut [T],
        recurred: &mut [T],
        before: &[T],
        share: &[T],
        gradient: &[T],
        flow: &[T],
        direct: &mut [T],
    ) {
        let [r, z, n] = cut::<3, T>(gates);
        let [qr, qz, qn] = cut::<3, T>(recurred);
        let len = direct.len();
        let (r, z, n) = (&mut r[..len], &mut z[..len], &mut n[..len]);
        let (qr, qz, qn) = (&mut qr[..len], &mut qz[..len], &mut qn[..len]);
        let (before, share) = (&before[..len], &share[..len]);
        let (gradient, flow) = (&gradient[..len], &flow[..len]);
        for j in 0..len {
            let dh = gradient[j] + flow[j];
            let [gr, gz, gn] = [r[j], z[j], n[j]];
            direct[j] = dh * gz;
            let dn = dh * (T::ONE - gz) * (T::ONE - gn * gn);
            let dz = dh * (before[j] - gn) * gz * (T::ONE - gz);
            let dr = dn * share[j] * gr * (T::ONE - gr);
            r[j] = dr;
            z[j] = dz;
            n[j] = dn;
            qr[j] = dr;
            qz[j] = dz;
            qn[j] = dn * gr;
        }
    }
}
