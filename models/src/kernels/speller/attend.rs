//! What one row attends to at one step: scores of the states, their softmax, the weighted sum.

use crate::kernels::Real;
use crate::kernels::attention::softmax_row;
use crate::kernels::buffer::Scratch;

/// The score of a key, given a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `q · k`
    Dot,
    /// `v · tanh(q + k)`
    Additive,
    /// `v · tanh(q + k + U f)`, with `f` a convolution of the weights of the step before.
    Location {
        /// Steps that the convolution spans, an odd number.
        kernel: usize,
        /// Features of the convolution.
        filters: usize,
    },
}

/// The sizes.
#[derive(Debug, Clone)]
pub(crate) struct Attention {
    pub(crate) kind: Kind,
    pub(crate) heads: usize,
    /// Features of query and key, of all heads together.
    pub(crate) d_attention: usize,
    /// Features of a value, of all heads together.
    pub(crate) d_context: usize,
    /// Steps of the padded keys and values.
    pub(crate) steps: usize,
}

/// The weights of the scores, empty where the kind has none.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Score<'a, T> {
    /// `v`, `[d_attention]`
    pub(crate) vector: &'a [T],
    /// The convolution, `[kernel, filters]`
    pub(crate) filters: &'a [T],
    /// `U`, `[filters, d_attention]`
    pub(crate) projection: &'a [T],
}

/// A row's share of the gradients, to which every step adds.
pub(super) struct Found<'a, T> {
    /// Of this step's weights, from the step after, and then of the weights before: `[heads,
    /// steps]`.
    pub(super) weights: &'a mut [T],
    /// `[steps, d_attention]`
    pub(super) keys: &'a mut [T],
    /// `[steps, d_context]`
    pub(super) values: &'a mut [T],
    /// Of [`Score`]: vector, filters and projection, one after the other.
    pub(super) score: &'a mut [T],
}

impl Attention {
    /// The lengths of the parts of [`Score`].
    pub(super) fn score_lens(&self) -> [usize; 3] {
        match self.kind {
            Kind::Dot => [0; 3],
            Kind::Additive => [self.d_attention, 0, 0],
            Kind::Location { kernel, filters } => [
                self.d_attention,
                kernel * filters,
                filters * self.d_attention,
            ],
        }
    }

    /// Weights `[heads, steps]` and context `[d_context]` of one query `[d_attention]` over the valid
    /// keys and values, given the weights of the step before.
    pub(super) fn forward<T: Real>(
        &self,
        score: Score<'_, T>,
        query: &[T],
        previous: &[T],
        [keys, values]: [&[T]; 2],
        weights: &mut [T],
        context: &mut [T],
    ) {
        let valid = keys.len() / self.d_attention;
        let (width, value_width) = (self.d_attention / self.heads, self.d_context / self.heads);
        for head in 0..self.heads {
            let row = head * self.steps;
            let (weights, padding) = weights[row..row + self.steps].split_at_mut(valid);
            padding.fill(T::ZERO);
            let (first, first_value) = (head * width, head * value_width);
            let query = &query[first..first + width];
            if self.kind == Kind::Dot {
                dots(query, &keys[first..], self.d_attention, weights);
            } else {
                let located = self.locate(score, &previous[row..row + valid]);
                let hidden = self.hidden(score, query, keys, &located, first);
                let vector = &score.vector[first..first + width];
                dots(vector, &hidden, width, weights);
            }
            softmax_row(weights);
            let context = &mut context[first_value..first_value + value_width];
            weighted_sum(weights, &values[first_value..], self.d_context, context);
        }
    }

    /// The gradients of one step, from that of the context. The query's place gets its gradient.
    pub(super) fn backward<T: Real>(
        &self,
        score: Score<'_, T>,
        query: &mut [T],
        [previous, weights]: [&[T]; 2],
        [keys, values]: [&[T]; 2],
        context: &[T],
        found: Found<'_, T>,
    ) {
        let valid = keys.len() / self.d_attention;
        let (width, value_width) = (self.d_attention / self.heads, self.d_context / self.heads);
        let stride = self.d_attention;
        let [vector_len, filters_len, _] = self.score_lens();
        let (found_vector, found_score) = found.score.split_at_mut(vector_len);
        let (found_filters, found_projection) = found_score.split_at_mut(filters_len);
        let mut scores = Scratch::new(valid);
        for head in 0..self.heads {
            let row = head * self.steps;
            let (first, first_value) = (head * width, head * value_width);
            let weights = &weights[row..row + valid];
            let flow = &mut found.weights[row..row + valid];
            let context = &context[first_value..first_value + value_width];
            dots(context, &values[first_value..], self.d_context, &mut scores);
            add_outer(
                weights,
                context,
                &mut found.values[first_value..],
                self.d_context,
            );
            softmax_back(weights, flow, &mut scores);
            flow.fill(T::ZERO);

            let query = &mut query[first..first + width];
            if self.kind == Kind::Dot {
                add_outer(&scores, query, &mut found.keys[first..], stride);
                weighted_sum(&scores, &keys[first..], stride, query);
                continue;
            }
            let previous = &previous[row..row + valid];
            let located = self.locate(score, previous);
            let mut hidden = self.hidden(score, query, keys, &located, first);
            let vector = &score.vector[first..first + width];
            query.fill(T::ZERO);
            hidden_back(
                &scores,
                vector,
                &mut hidden,
                query,
                &mut found_vector[first..first + width],
                &mut found.keys[first..],
                stride,
            );
            if let Kind::Location { filters, .. } = self.kind {
                let mut located_gradient = Scratch::new(valid * filters);
                for ((sums, located), hidden) in located_gradient
                    .chunks_exact_mut(filters)
                    .zip(located.chunks_exact(filters))
                    .zip(hidden.chunks_exact(width))
                {
                    dots(hidden, &score.projection[first..], stride, sums);
                    add_outer(located, hidden, &mut found_projection[first..], stride);
                }
                convolve_back(
                    previous,
                    score.filters,
                    &located_gradient,
                    filters,
                    flow,
                    found_filters,
                );
            }
        }
    }

    /// The features of the weights before, `[valid, filters]`; nothing where the kind has none.
    fn locate<T: Real>(&self, score: Score<'_, T>, previous: &[T]) -> Scratch<T> {
        let Kind::Location { filters, .. } = self.kind else {
            return Scratch::new(0);
        };
        let mut located = Scratch::new(previous.len() * filters);
        convolve(previous, score.filters, filters, &mut located);
        located
    }

    /// `tanh(q + k + U f)` of the head whose features begin at `first`: `[valid, d_attention /
    /// heads]`.
    fn hidden<T: Real>(
        &self,
        score: Score<'_, T>,
        query: &[T],
        keys: &[T],
        located: &[T],
        first: usize,
    ) -> Scratch<T> {
        let valid = keys.len() / self.d_attention;
        let mut hidden = Scratch::new(valid * query.len());
        let projection = score.projection.get(first..).unwrap_or(&[]);
        let filters = located.len() / valid.max(1);
        hidden_rows(
            query,
            &keys[first..],
            self.d_attention,
            [located, projection],
            filters,
            &mut hidden,
        );
        hidden
    }
}

/// Lanes of a sum of products.
const LANES: usize = 32;

#[inline(always)]
fn dot<T: Real>(a: &[T], b: &[T]) -> T {
    let mut lanes = [T::ZERO; LANES];
    let (blocks_a, blocks_b) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let rest = blocks_a.remainder().iter().zip(blocks_b.remainder());
    let mut sum = rest.fold(T::ZERO, |sum, (&a, &b)| sum + a * b);
    for (a, b) in blocks_a.zip(blocks_b) {
        for (lane, (&a, &b)) in lanes.iter_mut().zip(a.iter().zip(b)) {
            *lane += a * b;
        }
    }
    for lane in lanes {
        sum += lane;
    }
    sum
}

#[inline(always)]
fn add_scaled<T: Real>(factor: T, x: &[T], y: &mut [T]) {
    for (y, &x) in y.iter_mut().zip(x) {
        *y += factor * x;
    }
}

vectorised! {
    /// The product of `x` with the beginning of each row.
    fn dots<T: Real>(x: &[T], rows: &[T], stride: usize, out: &mut [T]) {
        for (out, row) in out.iter_mut().zip(rows.chunks(stride)) {
            *out = dot(x, &row[..x.len()]);
        }
    }

    /// `Σ weights[j] · rows[j]`, over the beginning of each row.
    fn weighted_sum<T: Real>(weights: &[T], rows: &[T], stride: usize, out: &mut [T]) {
        out.fill(T::ZERO);
        for (&weight, row) in weights.iter().zip(rows.chunks(stride)) {
            add_scaled(weight, row, out);
        }
    }

    /// Adds `weights[j] · x` to the beginning of each row.
    fn add_outer<T: Real>(weights: &[T], x: &[T], rows: &mut [T], stride: usize) {
        for (&weight, row) in weights.iter().zip(rows.chunks_mut(stride)) {
            add_scaled(weight, x, row);
        }
    }

    /// The weights' gradients, and what is added to them, become the scores'.
    fn softmax_back<T: Real>(weights: &[T], more: &[T], gradient: &mut [T]) {
        for (gradient, &more) in gradient.iter_mut().zip(more) {
            *gradient += more;
        }
        let mean = T::from_f64(
            weights.iter().zip(gradient.iter()).map(|(w, g)| w.to_f64() * g.to_f64()).sum(),
        );
        for (gradient, &weight) in gradient.iter_mut().zip(weights) {
            *gradient = weight * (*gradient - mean);
        }
    }

    fn hidden_rows<T: Real>(
        query: &[T],
        keys: &[T],
        stride: usize,
        [located, projection]: [&[T]; 2],
        filters: usize,
        out: &mut [T],
    ) {
        let width = query.len();
        for (j, (out, key)) in out.chunks_exact_mut(width).zip(keys.chunks(stride)).enumerate() {
            for (out, (&q, &k)) in out.iter_mut().zip(query.iter().zip(key)) {
                *out = q + k;
            }
            let located = &located[j * filters..][..filters];
            for (&feature, row) in located.iter().zip(projection.chunks(stride)) {
                add_scaled(feature, row, out);
            }
            for out in out {
                *out = out.tanh();
            }
        }
    }

    /// The hidden features become the gradients of what the tanh is of, which are added to those of
    /// the query and the keys.
    fn hidden_back<T: Real>(
        scores: &[T],
        vector: &[T],
        hidden: &mut [T],
        query: &mut [T],
        found_vector: &mut [T],
        found_keys: &mut [T],
        stride: usize,
    ) {
        let width = vector.len();
        for ((&score, hidden), key) in scores
            .iter()
            .zip(hidden.chunks_exact_mut(width))
            .zip(found_keys.chunks_mut(stride))
        {
            add_scaled(score, hidden, found_vector);
            for (hidden, &v) in hidden.iter_mut().zip(vector) {
                *hidden = score * v * (T::ONE - *hidden * *hidden);
            }
            add_scaled(T::ONE, hidden, query);
            add_scaled(T::ONE, hidden, key);
        }
    }

    /// The convolution along the steps, zero beyond both ends: `[steps]` to `[steps, filters]`.
    fn convolve<T: Real>(x: &[T], kernel: &[T], filters: usize, out: &mut [T]) {
        let half = kernel.len() / filters / 2;
        out.fill(T::ZERO);
        for (j, out) in out.chunks_exact_mut(filters).enumerate() {
            let from = j.saturating_sub(half);
            for (i, &x) in x.iter().enumerate().take(j + half + 1).skip(from) {
                let tap = i + half - j;
                add_scaled(x, &kernel[tap * filters..][..filters], out);
            }
        }
    }

    /// The gradients of `x` and the kernel, added.
    fn convolve_back<T: Real>(
        x: &[T],
        kernel: &[T],
        gradient: &[T],
        filters: usize,
        found_x: &mut [T],
        found_kernel: &mut [T],
    ) {
        let half = kernel.len() / filters / 2;
        for (j, gradient) in gradient.chunks_exact(filters).enumerate() {
            let from = j.saturating_sub(half);
            let steps = x.iter().zip(found_x.iter_mut()).enumerate();
            for (i, (&x, found_x)) in steps.take(j + half + 1).skip(from) {
                let tap = (i + half - j) * filters;
                *found_x += dot(gradient, &kernel[tap..tap + filters]);
                add_scaled(x, gradient, &mut found_kernel[tap..tap + filters]);
            }
        }
    }
}
