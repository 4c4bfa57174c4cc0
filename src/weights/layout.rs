//! The layout of a tensor in its file, and the steps that make a parameter of it.

use serde::Deserialize;

/// A part of a tensor that holds several side by side, such as the gates of a recurrent cell.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Blocks {
    /// The axis along which they lie.
    pub(crate) axis: usize,
    /// How many there are, of the same size.
    pub(crate) of: usize,
    /// Which are taken, in this order, counted from 0.
    pub(crate) take: Vec<usize>,
}

/// Zeros ahead of a tensor.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Front {
    /// The axis along which they stand.
    pub(crate) axis: usize,
    /// How many.
    pub(crate) zeros: usize,
}

/// Values of several kinds that alternate: a₀ b₀ a₁ b₁ becomes a₀ a₁ b₀ b₁.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Alternating {
    /// The axis along which they alternate.
    pub(crate) axis: usize,
    /// How many kinds.
    pub(crate) kinds: usize,
}

/// The steps from a tensor of a file to a parameter, in this order. Axes are those of the file's tensor.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Layout {
    /// Blocks that are taken.
    pub(crate) blocks: Option<Blocks>,
    /// Values that alternate.
    pub(crate) alternating: Option<Alternating>,
    /// Zeros ahead.
    pub(crate) front: Option<Front>,
    /// The axes of the file's tensor in the order of the parameter's. None: as they are.
    pub(crate) axes: Option<Vec<usize>>,
    /// The axes of one that the parameter does not have, counted after [`axes`](Self::axes).
    pub(crate) squeezed: Vec<usize>,
    /// Added to each value.
    pub(crate) add: f64,
}

/// Values with their shape, row by row.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Values {
    pub(crate) shape: Vec<usize>,
    pub(crate) values: Vec<f32>,
}

impl Layout {
    /// The steps that reorder axes.
    pub(crate) fn of_axes(axes: &[usize], squeezed: &[usize]) -> Self {
        Self {
            axes: Some(axes.to_vec()),
            squeezed: squeezed.to_vec(),
            ..Self::default()
        }
    }

    /// The shape of the parameter that comes of a tensor of `shape`.
    ///
    /// # Errors
    /// The reason why none does.
    pub(crate) fn shape_of(&self, shape: &[usize]) -> Result<Vec<usize>, String> {
        let mut shape = shape.to_vec();
        let missing = |axis: usize, shape: &[usize]| format!("{shape:?} has no axis {axis}");
        if let Some(Blocks { axis, of, take }) = &self.blocks {
            let size = shape
                .get(*axis)
                .copied()
                .ok_or_else(|| missing(*axis, &shape))?;
            if *of == 0 || !size.is_multiple_of(*of) {
                return Err(format!(
                    "axis {axis} of {shape:?} does not hold {of} blocks of one size"
                ));
            }
            if let Some(block) = take.iter().find(|block| *block >= of) {
                return Err(format!(
                    "there is no block {block} of {of}; they count from 0"
                ));
            }
            shape[*axis] = size / of * take.len();
        }
        if let Some(Alternating { axis, kinds }) = &self.alternating {
            let size = shape
                .get(*axis)
                .copied()
                .ok_or_else(|| missing(*axis, &shape))?;
            if *kinds == 0 || !size.is_multiple_of(*kinds) {
                return Err(format!(
                    "axis {axis} of {shape:?} does not alternate between {kinds} kinds"
                ));
            }
        }
        if let Some(Front { axis, zeros }) = &self.front {
            let found = missing(*axis, &shape);
            let size = shape.get_mut(*axis).ok_or(found)?;
            *size = size.checked_add(*zeros).ok_or("too many zeros")?;
        }
        if let Some(axes) = &self.axes {
            let mut sorted = axes.clone();
            sorted.sort_unstable();
            if sorted != (0..shape.len()).collect::<Vec<_>>() {
                return Err(format!("the axes {axes:?} are not those of {shape:?}"));
            }
            shape = axes.iter().map(|&axis| shape[axis]).collect();
        }
        let is_kept = |axis: &usize| !self.squeezed.contains(axis) || shape[*axis] != 1;
        Ok((0..shape.len())
            .filter(is_kept)
            .map(|axis| shape[axis])
            .collect())
    }

    /// The parameter of the shape `wanted` that comes of `tensor`, whose shape has been checked.
    pub(crate) fn apply(&self, tensor: Values, wanted: &[usize]) -> Values {
        let mut x = tensor;
        if let Some(Blocks { axis, of, take }) = &self.blocks {
            let size = x.shape[*axis] / of;
            let order: Vec<usize> = take
                .iter()
                .flat_map(|block| block * size..(block + 1) * size)
                .collect();
            x = picked(&x, *axis, &order);
        }
        if let Some(Alternating { axis, kinds }) = &self.alternating {
            let size = x.shape[*axis];
            let order: Vec<usize> = (0..*kinds)
                .flat_map(|kind| (kind..size).step_by(*kinds))
                .collect();
            x = picked(&x, *axis, &order);
        }
        if let Some(Front { axis, zeros }) = &self.front {
            let inner: usize = x.shape[*axis..].iter().product();
            let size = zeros * x.shape[axis + 1..].iter().product::<usize>();
            let rows = x.values.chunks(inner.max(1));
            let padded = rows.flat_map(|row| {
                let zeros = std::iter::repeat_n(0.0, size);
                zeros.chain(row.iter().copied())
            });
            x.values = padded.collect();
            x.shape[*axis] += zeros;
        }
        if let Some(axes) = &self.axes {
            x = permuted(&x, axes);
        }
        let add = self.add;
        if add != 0.0 {
            for value in &mut x.values {
                *value = (f64::from(*value) + add) as f32;
            }
        }
        x.shape = wanted.to_vec();
        x
    }

    /// The tensor that this parameter comes of, or none if the steps cannot be undone: only axes are.
    pub(crate) fn undone(&self, parameter: Values) -> Option<Values> {
        let only_axes = Self::of_axes(self.axes.as_deref().unwrap_or_default(), &self.squeezed);
        let Some(axes) = &self.axes else {
            return (*self == Self::default()).then_some(parameter);
        };
        if *self != only_axes {
            return None;
        }
        let mut x = parameter;
        for &axis in &self.squeezed {
            x.shape.insert(axis, 1);
        }
        let places = (0..axes.len()).map(|axis| axes.iter().position(|it| *it == axis));
        let back = places.collect::<Option<Vec<usize>>>()?;
        (x.shape.len() == back.len()).then(|| permuted(&x, &back))
    }

    /// The steps in words.
    pub(crate) fn words(&self) -> String {
        let mut words = Vec::new();
        if let Some(Blocks { axis, of, take }) = &self.blocks {
            words.push(format!("blocks {take:?} of {of} along axis {axis}"));
        }
        if let Some(Alternating { axis, kinds }) = &self.alternating {
            words.push(format!("{kinds} kinds alternate along axis {axis}"));
        }
        if let Some(Front { axis, zeros }) = &self.front {
            words.push(format!("{zeros} zeros ahead of axis {axis}"));
        }
        if let Some(axes) = &self.axes
            && !axes.is_sorted()
        {
            words.push(format!("axes {axes:?}"));
        }
        if self.add != 0.0 {
            words.push(format!("{:+.3e}", self.add));
        }
        words.join(", ")
    }
}

/// Whether two shapes are the same but for axes of one.
pub(crate) fn same_but_ones(a: &[usize], b: &[usize]) -> bool {
    let sizes = |shape: &[usize]| -> Vec<usize> {
        shape.iter().copied().filter(|&size| size != 1).collect()
    };
    sizes(a) == sizes(b)
}

/// A weight by its direction and length ([Salimans and Kingma 2016](https://arxiv.org/abs/1602.07868)):
/// `direction · length / |direction|`, the norm over all axes but the one that `length` has.
///
/// # Errors
/// The reason why the two do not go together.
pub(crate) fn of_weight_norm(direction: Values, length: &Values) -> Result<Values, String> {
    let along: Vec<usize> = (0..length.shape.len())
        .filter(|&axis| length.shape[axis] != 1)
        .collect();
    let fits = length.values.len() == 1
        || along.len() == 1 && {
            // A length of one axis is that of the first.
            let axis = if length.shape.len() == 1 { 0 } else { along[0] };
            direction.shape.get(axis) == Some(&length.values.len())
        };
    if !fits {
        return Err(format!(
            "the lengths {:?} of a weight norm do not go with {:?}",
            length.shape, direction.shape
        ));
    }
    let axis = if length.shape.len() == 1 {
        0
    } else {
        along.first().copied().unwrap_or(0)
    };
    let (size, inner) = match length.values.len() {
        1 => (1, direction.values.len()),
        size => (size, direction.shape[axis + 1..].iter().product()),
    };
    let group = |index: usize| index / inner.max(1) % size;
    let mut squares = vec![0.0f64; size];
    for (index, value) in direction.values.iter().enumerate() {
        squares[group(index)] += f64::from(*value).powi(2);
    }
    let mut whole = direction;
    for (index, value) in whole.values.iter_mut().enumerate() {
        let norm = squares[group(index)].sqrt();
        if norm > 0.0 {
            *value = (f64::from(*value) * f64::from(length.values[group(index)]) / norm) as f32;
        }
    }
    Ok(whole)
}

/// The values at these positions of an axis.
fn picked(x: &Values, axis: usize, order: &[usize]) -> Values {
    let inner: usize = x.shape[axis + 1..].iter().product();
    let outer: usize = x.shape[..axis].iter().product();
    let size = x.shape[axis];
    let mut values = Vec::with_capacity(outer * order.len() * inner);
    for row in 0..outer {
        for &at in order {
            let start = (row * size + at) * inner;
            values.extend_from_slice(&x.values[start..start + inner]);
        }
    }
    let mut shape = x.shape.clone();
    shape[axis] = order.len();
    Values { shape, values }
}

/// The values with their axes in another order.
fn permuted(x: &Values, axes: &[usize]) -> Values {
    let shape: Vec<usize> = axes.iter().map(|&axis| x.shape[axis]).collect();
    let strides = |axis: usize| x.shape[axis + 1..].iter().product::<usize>();
    let strides: Vec<usize> = axes.iter().map(|&axis| strides(axis)).collect();
    let mut values = Vec::with_capacity(x.values.len());
    let mut position = vec![0; shape.len()];
    for _ in 0..x.values.len() {
        let at: usize = position
            .iter()
            .zip(&strides)
            .map(|(p, stride)| p * stride)
            .sum();
        values.push(x.values[at]);
        for axis in (0..shape.len()).rev() {
            position[axis] += 1;
            if position[axis] < shape[axis] {
                break;
            }
            position[axis] = 0;
        }
    }
    Values { shape, values }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(shape: &[usize]) -> Values {
        let count = shape.iter().product::<usize>();
        Values {
            shape: shape.to_vec(),
            values: (0..count).map(|value| value as f32).collect(),
        }
    }

    #[test]
    fn each_step_moves_values_to_where_they_belong() {
        let apply = |layout: Layout, shape: &[usize]| {
            let wanted = layout.shape_of(shape).unwrap();
            layout.apply(values(shape), &wanted).values
        };
        let axes = Layout::of_axes(&[1, 0], &[]);
        assert_eq!(apply(axes, &[2, 3]), [0.0, 3.0, 1.0, 4.0, 2.0, 5.0]);
        let blocks = Layout {
            blocks: Some(Blocks {
                axis: 0,
                of: 3,
                take: vec![2, 0],
            }),
            ..Layout::default()
        };
        assert_eq!(apply(blocks, &[6]), [4.0, 5.0, 0.0, 1.0]);
        let alternating = Layout {
            alternating: Some(Alternating { axis: 0, kinds: 2 }),
            ..Layout::default()
        };
        assert_eq!(apply(alternating, &[6]), [0.0, 2.0, 4.0, 1.0, 3.0, 5.0]);
        let front = Layout {
            front: Some(Front { axis: 1, zeros: 1 }),
            ..Layout::default()
        };
        assert_eq!(apply(front, &[2, 2]), [0.0, 0.0, 1.0, 0.0, 2.0, 3.0]);
    }

    #[test]
    fn a_layout_of_axes_is_undone() {
        let layout = Layout::of_axes(&[2, 0, 1], &[2]);
        let theirs = values(&[2, 1, 3]);
        let shape = layout.shape_of(&theirs.shape).unwrap();
        let ours = layout.apply(theirs.clone(), &shape);
        assert_eq!(ours.shape, [3, 2]);
        assert_eq!(layout.undone(ours.clone()), Some(theirs));
        let added = Layout { add: 1.0, ..layout };
        assert_eq!(added.undone(ours), None);
    }

    /// torch 2.15.0: `torch._weight_norm(torch.tensor([[3., 4.], [0., 2.]]), torch.tensor([[10.], [1.]]), 0)`.
    #[test]
    fn a_weight_norm_is_torchs() {
        let direction = Values {
            shape: vec![2, 2],
            values: vec![3.0, 4.0, 0.0, 2.0],
        };
        let length = Values {
            shape: vec![2, 1],
            values: vec![10.0, 1.0],
        };
        let whole = of_weight_norm(direction, &length).unwrap();
        assert_eq!(whole.values, [6.0, 8.0, 0.0, 1.0]);
    }
}
