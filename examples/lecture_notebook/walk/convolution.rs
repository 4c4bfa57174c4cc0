//! Zero padding, a convolution, and pooling.

use burn::tensor::backend::Backend;
use sori_models::ops::{ConvOptions, average_pool2d, conv2d, max_pool2d};

use super::{Figure, Notebook, values};

pub(super) fn convolution<B: Backend>(notebook: &Notebook, device: &B::Device) -> Vec<Figure> {
    let [images, kernels, pooled] =
        ["images", "kernels", "pooled"].map(|name| notebook.tensor::<B, 4>(name, device));
    let bias = notebook.tensor::<B, 1>("bias", device);
    let options = |padding| ConvOptions {
        stride: [2, 2],
        padding,
        ..ConvOptions::default()
    };
    let z = conv2d(
        images.clone(),
        kernels.clone(),
        Some(bias.clone()),
        options([2, 2]),
    );
    // Zeros around every picture, then a convolution without padding.
    let padded = images.pad([(2, 2), (2, 2), (0, 0)], 0.0);
    let z_of_padded = conv2d(padded, kernels, Some(bias), options([0, 0]));
    // A four by four picture has one window of three, whatever the stride.
    vec![
        notebook.figure("mean of Z", z.clone().mean()),
        Figure::by_hand("Z of the padded pictures", values(z), values(z_of_padded)),
        notebook.figure("max pooling", max_pool2d(pooled.clone(), [3, 3])),
        notebook.figure("average pooling", average_pool2d(pooled, [3, 3])),
    ]
}
