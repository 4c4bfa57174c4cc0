//! Feature flags and `--backend` become a backend type and a device here, and nowhere else.

use std::fmt;
use std::str::FromStr;

use burn::tensor::backend::AutodiffBackend;

use crate::{Error, Result};

#[cfg(not(any(feature = "ndarray", feature = "wgpu-plain", feature = "cuda")))]
compile_error!(
    "sori needs a backend: build with the default features, or with `--features wgpu` (any GPU), \
     `vulkan`, `metal` or `cuda`"
);

/// The backends Sori knows; which are compiled in is a matter of feature flags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BackendName {
    /// The CPU, on any platform.
    Ndarray,
    /// A GPU on any platform, through WGSL shaders.
    Wgpu,
    /// A GPU through Vulkan (SPIR-V shaders).
    Vulkan,
    /// A GPU through Metal.
    Metal,
    /// An NVIDIA GPU through CUDA.
    Cuda,
}

impl BackendName {
    const ALL: [Self; 5] = [
        Self::Cuda,
        Self::Vulkan,
        Self::Metal,
        Self::Wgpu,
        Self::Ndarray,
    ];

    /// The name as it is typed after `--backend`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ndarray => "ndarray",
            Self::Wgpu => "wgpu",
            Self::Vulkan => "vulkan",
            Self::Metal => "metal",
            Self::Cuda => "cuda",
        }
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
        Self::ALL.into_iter().filter(|name| name.is_compiled())
    }
}

/// The GPU if one was compiled in, otherwise the CPU.
impl Default for BackendName {
    fn default() -> Self {
        Self::compiled().next().unwrap_or(Self::Ndarray)
    }
}

impl fmt::Display for BackendName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for BackendName {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        Self::ALL
            .into_iter()
            .find(|known| known.as_str() == name)
            .ok_or_else(|| Error::Backend {
                name: name.to_string(),
                reason: "there is no such backend; there are ndarray (CPU), wgpu, vulkan, metal \
                         and cuda"
                    .to_string(),
            })
    }
}

/// Work that runs on whichever backend was chosen.
pub trait Job {
    /// What the work gives.
    type Output;

    /// Does the work on `device`.
    fn run<B: AutodiffBackend>(self, device: &B::Device) -> Self::Output;
}

/// Runs `job` on the backend `name`.
///
/// # Errors
/// When the backend is not compiled in, or its device is not there.
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

    /// Looks for an adapter before Burn does, which panics without one. A software adapter is taken
    /// only where there is no other.
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
        // A second setup of the same device in one process would panic.
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
        for name in BackendName::ALL.into_iter().filter(|n| !n.is_compiled()) {
            let error = run_on(name, Nothing).unwrap_err().to_string();
            assert!(error.contains(&format!("--features {name}")), "{error}");
        }
    }

    #[test]
    fn names_parse_to_themselves_and_others_are_listed() {
        for name in BackendName::ALL {
            assert_eq!(name.as_str().parse::<BackendName>().unwrap(), name);
        }
        let error = "tpu".parse::<BackendName>().unwrap_err().to_string();
        assert!(
            error.contains("tpu") && error.contains("ndarray"),
            "{error}"
        );
    }
}
