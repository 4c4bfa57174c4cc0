//! Operators that act number by number, products of matrices, and sums over axes.

use std::f64::consts::FRAC_1_SQRT_2;

use super::graph::{OnnxAttribute, OnnxGraph, OnnxValue};
use crate::ops::Activation;

/// `TensorProto.DataType`.
const FLOAT: i64 = 1;
const INT32: i64 = 6;

impl OnnxGraph {
    /// `a + b`; shapes as in NumPy, here and below.
    pub fn add(&mut self, a: OnnxValue, b: OnnxValue) -> OnnxValue {
        self.node("Add", &[a, b], &[])
    }

    /// `a − b`
    pub fn sub(&mut self, a: OnnxValue, b: OnnxValue) -> OnnxValue {
        self.node("Sub", &[a, b], &[])
    }

    /// `a · b`
    pub fn mul(&mut self, a: OnnxValue, b: OnnxValue) -> OnnxValue {
        self.node("Mul", &[a, b], &[])
    }

    /// `a / b`; of integers, which are not negative here, rounded down.
    pub fn div(&mut self, a: OnnxValue, b: OnnxValue) -> OnnxValue {
        self.node("Div", &[a, b], &[])
    }

    /// The larger of `a` and `b`.
    pub fn max(&mut self, a: OnnxValue, b: OnnxValue) -> OnnxValue {
        self.node("Max", &[a, b], &[])
    }

    /// The smaller of `a` and `b`.
    pub fn min(&mut self, a: OnnxValue, b: OnnxValue) -> OnnxValue {
        self.node("Min", &[a, b], &[])
    }

    /// Whether `a < b`.
    pub fn less(&mut self, a: OnnxValue, b: OnnxValue) -> OnnxValue {
        self.node("Less", &[a, b], &[])
    }

    /// `a` where `condition` holds, otherwise `b`.
    pub fn choose(&mut self, condition: OnnxValue, a: OnnxValue, b: OnnxValue) -> OnnxValue {
        self.node("Where", &[condition, a, b], &[])
    }

    /// A function of each number that has no attributes, such as `Sqrt`.
    pub fn each(&mut self, function: &'static str, x: OnnxValue) -> OnnxValue {
        self.node(function, &[x], &[])
    }

    /// The integers as numbers of single precision.
    pub fn cast_floats(&mut self, x: OnnxValue) -> OnnxValue {
        self.node("Cast", &[x], &[("to", OnnxAttribute::Int(FLOAT))])
    }

    /// The integers in 32 bits, as recurrent operators take lengths.
    pub(super) fn cast_int32(&mut self, x: OnnxValue) -> OnnxValue {
        self.node("Cast", &[x], &[("to", OnnxAttribute::Int(INT32))])
    }

    /// The product of the last two axes of `a` and `b`.
    pub fn matmul(&mut self, a: OnnxValue, b: OnnxValue) -> OnnxValue {
        self.node("MatMul", &[a, b], &[])
    }

    /// A nonlinearity; see [`activate`](crate::ops::activate).
    pub fn activate(&mut self, x: OnnxValue, function: Activation) -> OnnxValue {
        let alpha = |alpha| [("alpha", OnnxAttribute::Float(alpha))];
        match function {
            Activation::Relu => self.each("Relu", x),
            Activation::LeakyRelu => self.node("LeakyRelu", &[x], &alpha(0.01)),
            Activation::Sigmoid => self.each("Sigmoid", x),
            Activation::Tanh => self.each("Tanh", x),
            Activation::Elu => self.node("Elu", &[x], &alpha(1.0)),
            Activation::Gelu => {
                let [scale, one, half] = [FRAC_1_SQRT_2, 1.0, 0.5].map(|it| self.number(it));
                let scaled = self.mul(x, scale);
                let erf = self.each("Erf", scaled);
                let twice = self.add(erf, one);
                let normal = self.mul(twice, half);
                self.mul(x, normal)
            }
        }
    }

    /// The values clamped to `range`.
    pub fn clamp(&mut self, x: OnnxValue, range: [f64; 2]) -> OnnxValue {
        match range {
            [f64::NEG_INFINITY, f64::INFINITY] => x,
            [0.0, f64::INFINITY] => self.each("Relu", x),
            [low, high] => {
                let [low, high] = [low, high].map(|bound| self.number(bound));
                self.node("Clip", &[x, low, high], &[])
            }
        }
    }

    /// The softmax over the last axis.
    pub fn softmax(&mut self, x: OnnxValue) -> OnnxValue {
        self.node("Softmax", &[x], &[("axis", OnnxAttribute::Int(-1))])
    }

    /// The logarithm of the softmax over the last axis.
    pub fn log_softmax(&mut self, x: OnnxValue) -> OnnxValue {
        self.node("LogSoftmax", &[x], &[("axis", OnnxAttribute::Int(-1))])
    }

    /// The sums over an axis, which is left out.
    pub fn sum(&mut self, x: OnnxValue, axis: i64) -> OnnxValue {
        let axes = self.integers(&[axis]);
        self.node(
            "ReduceSum",
            &[x, axes],
            &[("keepdims", OnnxAttribute::Int(0))],
        )
    }

    /// The means over an axis, which is left out.
    pub fn mean(&mut self, x: OnnxValue, axis: i64) -> OnnxValue {
        self.reduce("ReduceMean", x, axis)
    }

    /// The largest values over an axis, which is left out.
    pub fn largest(&mut self, x: OnnxValue, axis: i64) -> OnnxValue {
        self.reduce("ReduceMax", x, axis)
    }

    fn reduce(&mut self, operator: &'static str, x: OnnxValue, axis: i64) -> OnnxValue {
        let axes = ("axes", OnnxAttribute::Ints(vec![axis]));
        self.node(operator, &[x], &[axes, ("keepdims", OnnxAttribute::Int(0))])
    }
}
