//! The choice of a backend. Only this file turns feature flags and a name into a backend type and a
//! device.

use burn::tensor::backend::AutodiffBackend;

use strum::VariantArray;

use crate::error::{Error, Result};

#[cfg(not(any(feature = "ndarray", feature = "wgpu-plain", feature = "cuda")))]
compile_error!(
    "sori needs a backend: build with the default features, or with `--features wgpu` (any GPU), \
     `vulkan`, `metal` or `cuda`"
);

/// A backend that Sori supports, fastest first. Feature flags choose which are compiled in.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    strum::Display,
    strum::EnumString,
    strum::IntoStaticStr,
    VariantArray,
)]
#[strum(
    serialize_all = "lowercase",
    parse_err_ty = Error,
    parse_err_fn = no_such_backend
)]
pub enum BackendName {
    /// An NVIDIA GPU through CUDA.
    Cuda,
    /// A GPU through Vulkan (SPIR-V shaders).
    Vulkan,
    /// A GPU through Metal.
    Metal,
    /// A GPU on any platform, through WGSL shaders.
    Wgpu,
    /// The CPU, on any platform.
    Ndarray,
}

fn no_such_backend(name: &str) -> Error {
    Error::Backend {
        name: name.to_string(),
        reason: "there is no such backend; there are ndarray (CPU), wgpu, vulkan, metal and cuda"
            .to_string(),
    }
}

impl BackendName {
    /// The name as given to `--backend`.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    fn is_compiled(self) -> bool {
        match self {
            Self::Ndarray => cfg!(feature = "ndarray"),
            Self::Wgpu => cfg!(feature = "wgpu-plain"),
            Self::Vulkan => cfg!(feature = "vulkan"),
            Self::Metal => cfg!(feature = "metal"),
            Self::Cuda => cfg!(feature = "cuda"),
        }
    }

    /// The backends compiled into this program, the fastest first.
    pub fn compiled() -> impl Iterator<Item = Self> {
        Self::VARIANTS
            .iter()
            .copied()
            .filter(|name| name.is_compiled())
    }
}

/// The GPU if a GPU backend is compiled in, otherwise the CPU.
impl Default for BackendName {
    fn default() -> Self {
        Self::compiled().next().unwrap_or(Self::Ndarray)
    }
}

/// Work that is generic over the backend.
pub trait Job {
    /// The result of the work.
    type Output;

    /// Does the work on `device`.
    fn run<B: AutodiffBackend>(self, device: &B::Device) -> Self::Output;
}

/// Runs `job` on the backend `name`.
///
/// # Errors
/// When the backend is not compiled in, or its device is missing.
pub fn run_on<J: Job>(name: BackendName, job: J) -> Result<J::Output> {
    match name {
        #[cfg(feature = "ndarray")]
        BackendName::Ndarray => {
            Ok(job.run::<burn_autodiff::Autodiff<burn_ndarray::NdArray>>(&Default::default()))
        }
        #[cfg(feature = "wgpu-plain")]
        BackendName::Wgpu => {
            let device = adapter::find::<burn_wgpu::graphics::AutoGraphicsApi>(name)?;
            Ok(job.run::<burn_autodiff::Autodiff<burn_wgpu::Wgpu>>(&device))
        }
        #[cfg(feature = "vulkan")]
        BackendName::Vulkan => {
            let device = adapter::find::<burn_wgpu::graphics::Vulkan>(name)?;
            Ok(job.run::<burn_autodiff::Autodiff<burn_wgpu::Vulkan>>(&device))
        }
        #[cfg(feature = "metal")]
        BackendName::Metal => {
            let device = adapter::find::<burn_wgpu::graphics::Metal>(name)?;
            Ok(job.run::<burn_autodiff::Autodiff<burn_wgpu::Metal>>(&device))
        }
        #[cfg(feature = "cuda")]
        BackendName::Cuda => {
            Ok(job.run::<burn_autodiff::Autodiff<burn::backend::Cuda>>(&Default::default()))
        }
        #[allow(
            unreachable_patterns,
            reason = "reached unless every backend is compiled in"
        )]
        _ => Err(Error::Backend {
            name: name.to_string(),
            reason: format!(
                "it is not in this build, which has {}; build with `--features {name}`",
                BackendName::compiled()
                    .map(BackendName::as_str)
                    .collect::<Vec<_>>()
                    .join(", ")
            ),
        }),
    }
}

#[cfg(feature = "wgpu-plain")]
mod adapter {
    use super::BackendName;
    use crate::{Error, Result};
    use burn_wgpu::{WgpuDevice, graphics::GraphicsApi};
    use wgpu::{DeviceType, Instance, InstanceDescriptor};

    /// Looks for an adapter first, because Burn panics without one. A software adapter is used only
    /// if there is no other.
    pub(super) fn find<G: GraphicsApi>(name: BackendName) -> Result<WgpuDevice> {
        let instance = Instance::new(InstanceDescriptor {
            backends: G::backend().into(),
            ..InstanceDescriptor::new_without_display_handle()
        });
        let adapters = pollster::block_on(instance.enumerate_adapters(G::backend().into()));
        let device = if adapters.is_empty() {
            return Err(Error::Backend {
                name: name.to_string(),
                reason: format!(
                    "no {} adapter was found; install the GPU's driver, or Mesa's software \
                     adapter (Debian package mesa-vulkan-drivers), or use `--backend ndarray`",
                    G::backend()
                ),
            });
        } else if std::env::var_os("CUBECL_WGPU_DEFAULT_DEVICE").is_some()
            || adapters
                .iter()
                .any(|adapter| adapter.get_info().device_type != DeviceType::Cpu)
        {
            WgpuDevice::DefaultDevice
        } else {
            WgpuDevice::Cpu
        };
        // A second setup of the same device in one process panics.
        static SETUP: std::sync::Once = std::sync::Once::new();
        SETUP.call_once(|| {
            burn_wgpu::init_setup::<G>(&device, Default::default());
        });
        Ok(device)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backend_that_is_not_compiled_in_is_an_error_that_says_how_to_build_it() {
        struct Nothing;
        impl Job for Nothing {
            type Output = ();
            fn run<B: AutodiffBackend>(self, _: &B::Device) {}
        }
        let missing = BackendName::VARIANTS.iter().filter(|n| !n.is_compiled());
        for &name in missing {
            let error = run_on(name, Nothing).unwrap_err().to_string();
            assert!(error.contains(&format!("--features {name}")), "{error}");
        }
    }

    #[test]
    fn names_parse_to_themselves_and_others_are_listed() {
        for &name in BackendName::VARIANTS {
            assert_eq!(name.as_str().parse::<BackendName>().unwrap(), name);
        }
        let error = "tpu".parse::<BackendName>().unwrap_err().to_string();
        assert!(
            error.contains("tpu") && error.contains("ndarray"),
            "{error}"
        );
    }
}
